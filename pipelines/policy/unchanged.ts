import { LockageError } from '../errors.ts';
import { cordonedHosts } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { type EnvironmentRecord, nextNumber } from '../model/ledger.ts';
import { currentPool } from '../model/machine-pool.ts';

/**
 * Throws LockageError when the hosts in service have changed: what was prepared for some hosts must not be carried out
 * on others.
 */
export function refuseOtherHosts(configured: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  const [before, after] = [seen, now].map(({ ledger }) =>
    [currentPool(configured.name, ledger, []), ...cordonedHosts(configured, ledger)].join(' '),
  );
  if (before === after) return;
  throw new LockageError(`the hosts of ${configured.name} that are in service have just changed: nothing was done`, {
    hint: `Look at \`lockage status --env ${configured.name}\`, then run the same command again.`,
  });
}

/** Throws LockageError when another operation was recorded in between, which voids what was decided before it. */
export function refuseChanged({ name }: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  if (nextNumber(seen.ledger) === nextNumber(now.ledger)) return;
  throw new LockageError(`${name} was changed by somebody else meanwhile: nothing was done`, {
    hint: `Look at \`lockage history ${name}\`, then run the same command again.`,
  });
}
