import { RecordChangedError } from '../errors.ts';
import { blockOf, type Block } from '../model/block.ts';
import { cordonedHosts } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { canonicalJson } from '../model/fingerprint.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { currentPool } from '../model/machine-pool.ts';
import type { Revision } from '../model/revision.ts';
import { blockText } from './gates.ts';

/**
 * Throws RecordChangedError when the hosts in service have changed: what was prepared for some hosts must not be carried out
 * on others.
 */
export function refuseOtherHosts(configured: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  const [before, after] = [seen, now].map(({ ledger }) =>
    [currentPool(configured.name, ledger, []), ...cordonedHosts(configured, ledger)].join(' '),
  );
  if (before === after) return;
  throw new RecordChangedError(
    `the hosts of ${configured.name} that are in service have just changed: nothing was done`,
    {
      hint: `Look at \`lockage status --env ${configured.name}\`, then run the same command again.`,
    },
  );
}

/**
 * Returns whether all that is recorded is as it was. Its mark alone does not say so: a change writes that first and the ledger
 * last, and whoever reads in between decides from neither the one nor the other.
 */
export function isAsSeen(seen: EnvironmentRecord, now: EnvironmentRecord): boolean {
  return canonicalJson(seen) === canonicalJson(now);
}

/** Throws RecordChangedError when the record was changed in between, which voids what was decided before. */
export function refuseChanged({ name }: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  if (isAsSeen(seen, now)) return;
  throw new RecordChangedError(`${name} was changed by somebody else meanwhile: nothing was done`, {
    hint: `Look at \`lockage history ${name}\`, then run the same command again.`,
  });
}

/** Throws RecordChangedError when the release to go back to was blocked after it was chosen. */
export function refuseBlocked({ name }: Environment, { release }: Revision, blocks: readonly Block[]): void {
  const block = blockOf(blocks, release);
  if (!block) return;
  throw new RecordChangedError(`${release.version} has just been blocked: nothing was done`, {
    details: [blockText(block, release)],
    hint: `Run \`lockage rollback ${name}\` again, which chooses another revision.`,
  });
}
