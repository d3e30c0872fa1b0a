import { LockageError } from '../errors.ts';
import { didYouMean } from '../text/suggest.ts';
import { shortDigest, type Release } from './release.ts';
import { bumpVersion, compareVersions, parseVersion, type Bump } from './version.ts';

/** Returns the version to release: the one given, or the next after the highest. Throws LockageError. */
export function nextVersion(releases: readonly Release[], given: string | undefined, bump: Bump | undefined): string {
  if (given !== undefined && bump !== undefined) {
    throw new LockageError('give a version or --bump, not both', { hint: `Run \`lockage release ${given}\`.` });
  }
  if (given !== undefined) return parseVersion(given);
  const highest = releases
    .map(({ version }) => version)
    .sort(compareVersions)
    .at(-1);
  if (bump !== undefined) return highest === undefined ? '0.1.0' : bumpVersion(highest, bump);
  throw new LockageError('which version?', {
    ...(highest === undefined ? {} : { details: [`the latest release is ${highest}`] }),
    hint: `Run \`lockage release ${highest === undefined ? '0.1.0' : bumpVersion(highest, 'minor')}\`, or \`lockage release --bump minor\`.`,
  });
}

/** The version to release, and the commit or image to make it of. */
export interface Candidate {
  readonly version: string;
  readonly commit?: string;
  /** there were changes that were not committed: nothing recorded is made of the same */
  readonly dirty?: boolean;
  readonly digest?: string;
}

/**
 * Returns the release of a version if it exists and was made of the same. Throws LockageError when it was made of
 * something else: a release never changes.
 */
export function alreadyReleased(releases: readonly Release[], candidate: Candidate): Release | undefined {
  const found = releases.find(({ version }) => version === candidate.version);
  if (!found) return undefined;
  if (
    candidate.digest !== undefined
      ? candidate.digest === found.digest
      : candidate.commit === found.commit && !found.dirty && !candidate.dirty
  ) {
    return found;
  }
  throw new LockageError(`release ${found.version} exists, and was made of something else`, {
    details: [
      `it is ${shortDigest(found.digest)}${found.commit ? ` of commit ${found.commit.slice(0, 7)}` : ''}, made ${found.createdAt} by ${found.builder}`,
    ],
    hint: `A release never changes: make a new version, for example \`lockage release --bump patch\`.`,
  });
}

/**
 * Returns the releases with one more; the very same list where that release is in it. Throws LockageError when its version
 * is there and was made of something else.
 */
export function withRelease(releases: readonly Release[], release: Release): readonly Release[] {
  const { version, digest } = release;
  return alreadyReleased(releases, { version, digest }) ? releases : [...releases, release];
}

/** Returns the release of the highest version. Throws LockageError when there is none. */
export function newestRelease(releases: readonly Release[]): Release {
  const newest = [...releases].sort((a, b) => compareVersions(a.version, b.version)).at(-1);
  if (newest) return newest;
  throw new LockageError('there are no releases yet', { hint: 'Make one with `lockage release 0.1.0`.' });
}

/** Returns the recorded release of a version. Throws LockageError naming the versions there are. */
export function releaseNamed(releases: readonly Release[], version: string): Release {
  const found = releases.find((release) => release.version === version);
  if (found) return found;
  parseVersion(version);
  const names = releases.map((release) => release.version);
  const recent = releases.slice(-5).map((release) => `${release.version} (${shortDigest(release.digest)})`);
  throw new LockageError(`there is no release ${version}${didYouMean(version, names)}`, {
    details: recent.length > 0 ? [`latest releases: ${recent.reverse().join(', ')}`] : [],
    hint: `Make it with \`lockage release ${version}\`.`,
  });
}
