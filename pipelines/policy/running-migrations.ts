import { LockageError } from '../errors.ts';
import type { RunningMigration } from '../model/host-report.ts';
import { whenText } from '../text/moment.ts';

/**
 * Refuses to begin a migration, or to take its host away, while another one works on the same data: neither was written for what
 * the other one leaves. `own`: the name of the one that is to run, which may run already. Throws LockageError.
 */
export function refuseOtherMigrations(environment: string, running: readonly RunningMigration[], own?: string): void {
  const others = running.filter(({ name }) => name !== own);
  const [first] = others;
  if (!first) return;
  throw new LockageError(`the migration of ${first.version} still runs in ${environment}`, {
    details: others.map(migrationText),
    hint:
      `Wait until it has ended: \`lockage promote ${first.version} --to ${environment}\` goes on with it. Or, where its data may be ` +
      `left half-way, end it: \`docker stop ${first.name}\` on ${first.host}.`,
  });
}

/** Says which migration runs where, and since when. */
export function migrationText({ host, name, version, since }: RunningMigration): string {
  return `${host}: ${name} of ${version}, since ${whenText(since)}`;
}
