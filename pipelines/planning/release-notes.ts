import { LockageError } from '../errors.ts';
import type { Release } from '../model/release.ts';
import { compareVersions } from '../model/version.ts';

/** A commit as notes name it. */
export interface NotedCommit {
  readonly id: string;
  readonly subject: string;
}

/** A release on the way from one to another, and what came with it. */
export interface NotedRelease {
  readonly version: string;
  readonly digest: string;
  /** environments that run it now, in pipeline order */
  readonly runs: readonly string[];
  /** newest first; absent: the repository does not have its commit, or the one before */
  readonly commits?: readonly NotedCommit[];
  /** earlier commits came with it, too: these are as many as are listed */
  readonly more?: true;
}

/** What comes to somebody who goes from one release to another. */
export interface ReleaseNotes {
  readonly from: string;
  readonly to: string;
  /** it goes to an older release: the commits are taken back */
  readonly back: boolean;
  /** newest first */
  readonly releases: readonly NotedRelease[];
}

/** Reads `FROM..TO`. Throws LockageError (refused) that says how it is written. */
export function parseRange(text: string): readonly [from: string, to: string] {
  const parts = text.split('..');
  const [from = '', to = ''] = parts;
  if (parts.length === 2 && from !== '' && to !== '') return [from, to];
  throw new LockageError(`${JSON.stringify(text)} is no range`, {
    hint: 'Write it as 1.3.0..1.4.0, prod..qa or prod@12..prod, with what is older first.',
  });
}

/**
 * Returns the pairs of releases that follow each other on the way from one to another, oldest first: by their versions, of all
 * that are recorded. Whichever of the two is older, the way goes up.
 */
export function stepsBetween(
  a: Release,
  b: Release,
  releases: readonly Release[],
): readonly (readonly [before: Release, release: Release])[] {
  const [low, high] = compareVersions(a.version, b.version) <= 0 ? [a, b] : [b, a];
  const between = releases.filter(
    ({ version }) => compareVersions(version, low.version) > 0 && compareVersions(version, high.version) < 0,
  );
  const line = [low, ...between.toSorted((one, other) => compareVersions(one.version, other.version)), high];
  return low.version === high.version
    ? []
    : line.slice(1).flatMap((release, index) => {
        const before = line[index];
        return before ? [[before, release] as const] : [];
      });
}
