import type { EnvironmentRecord } from '../model/ledger.ts';
import { imageByDigest } from '../model/release.ts';
import type { DataDump } from '../model/revision.ts';

/** The dumps of one accessory before another one is taken. */
export interface KnownDumps {
  /** from before a migration that did not end well, and may have changed the data: all that is certain of what they were */
  readonly unsettled: readonly DataDump[];
  /** files that have to stay, whatever is taken later */
  readonly needed: readonly string[];
}

/** Looks at the dumps that were taken of an accessory. `keep`: how many there are to be. */
export function knownDumps(
  { ledger: { dumps = [], revisions }, migration }: Pick<EnvironmentRecord, 'ledger' | 'migration'>,
  accessory: string,
  keep: number,
): KnownDumps {
  const own = dumps.filter((each) => each.accessory === accessory);
  const migrated = revisions.filter(
    ({ result, release }) => result === 'succeeded' || migration?.spec.image === imageByDigest(release),
  );
  // Its data are those of a migration that ended well, or of a file that was taken in.
  const settled = own.flatMap(({ revision, restored = 0 }) =>
    migrated.some(({ number }) => number === revision) ? [revision, restored] : [restored],
  );
  const last = Math.max(0, ...settled);
  const certain = keptDumps(own, keep).filter(({ doubtful }) => !doubtful);
  return { unsettled: own.filter(({ revision }) => revision > last), needed: certain.map(({ file }) => file) };
}

/**
 * Returns the dumps of one accessory that are kept: the last ones of data that were as they should be, and the last one of data
 * that may not be, for which none of those goes.
 */
export function keptDumps(dumps: readonly DataDump[], keep: number): readonly DataDump[] {
  const certain = dumps.filter(({ doubtful }) => !doubtful).slice(-keep);
  const doubtful = dumps.filter((each) => each.doubtful).slice(-1);
  return dumps.filter((each) => certain.includes(each) || doubtful.includes(each));
}
