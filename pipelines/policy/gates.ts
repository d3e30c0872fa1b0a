import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import { whenText } from '../text/moment.ts';

/**
 * Checks that a release may enter an environment: there is no hold, and it ran well in every environment before. Throws
 * LockageError with every condition that is not met.
 */
export function checkGates(
  release: Release,
  environment: Environment,
  record: EnvironmentRecord,
  upstream: Readonly<Record<string, EnvironmentRecord>>,
): void {
  const reasons: string[] = [];
  const hints: string[] = [];
  const { hold } = record.ledger;
  if (hold) {
    reasons.push(`${environment.name} is on hold since ${whenText(hold.since)} by ${hold.actor}: ${hold.reason}`);
    hints.push(`lockage resume ${environment.name}`);
  }
  for (const name of environment.after) {
    const before = upstream[name];
    if (before && ranWell(before, release)) continue;
    const current = before && currentRevision(before.ledger);
    reasons.push(
      current
        ? `${release.version} has not run well in ${name}, which runs ${current.release.version}`
        : `${release.version} has not run well in ${name}, where nothing runs yet`,
    );
    hints.push(`lockage promote ${release.version} --to ${name}`);
  }
  if (reasons.length === 0) return;
  throw new LockageError(`release ${release.version} may not enter ${environment.name}`, {
    details: reasons,
    hint: `Run ${hints.map((hint) => `\`${hint}\``).join(', then ')}.`,
  });
}

/** Returns whether a release ran well: exactly that digest served, and it was not followed by a rollback from it. */
export function ranWell(record: EnvironmentRecord, release: Release): boolean {
  const revisions = record.ledger.revisions.filter(({ result }) => result === 'succeeded');
  const last = revisions.findLastIndex((revision) => revision.release.digest === release.digest);
  return last >= 0 && revisions[last + 1]?.kind !== 'rollback';
}
