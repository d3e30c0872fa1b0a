import semver from 'semver';
import { LockageError } from '../errors.ts';

/** The part of a version to raise. */
export type Bump = 'major' | 'minor' | 'patch';

/** The length that tags are limited to; a version is used as one. */
const maximumLength = 128;

/**
 * Parses a semver 2.0.0 version as it is recorded: `1.4.0`, `2.0.0-rc.1`. Build metadata is refused, as a tag cannot
 * hold `+`.
 * @throws LockageError (refused) that says what is allowed.
 */
export function parseVersion(text: string): string {
  const hint = 'Write it as 1.4.0 or 1.5.0-rc.1.';
  const plain = text.trim().replace(/^[=v]+/i, '');
  if (text !== plain && isVersion(plain)) {
    throw new LockageError(`not a version: ${JSON.stringify(text)}`, {
      hint: `Leave out what stands before the number: ${plain}`,
    });
  }
  if (text.length > maximumLength) {
    throw new LockageError(`not a version: it is longer than ${maximumLength} characters`, { hint });
  }
  if (isVersion(text)) return text;
  const [beforeBuild] = text.split('+');
  if (beforeBuild !== undefined && beforeBuild !== text && isVersion(beforeBuild)) {
    throw new LockageError(`the version ${JSON.stringify(text)} has build metadata, which a tag cannot hold`, {
      hint: `Leave it out: ${beforeBuild}`,
    });
  }
  const completed = /^\d+(\.\d+)?$/.test(text) ? `${text}${text.includes('.') ? '.0' : '.0.0'}` : undefined;
  throw new LockageError(`not a version: ${JSON.stringify(text)} is not MAJOR.MINOR.PATCH as of semver 2.0.0`, {
    hint: completed !== undefined && isVersion(completed) ? `Write all three numbers: ${completed}` : hint,
  });
}

/** Returns whether the text is a version that `parseVersion` accepts. */
export function isVersion(text: string): boolean {
  return text.length <= maximumLength && !text.includes('+') && semver.parse(text)?.version === text;
}

/**
 * Returns the next version after `version`: `1.4.0` by minor is `1.5.0`, and `1.5.0-rc.1` by minor is `1.5.0`.
 * @throws LockageError (refused) if `version` is not one.
 */
export function bumpVersion(version: string, bump: Bump): string {
  const next = semver.inc(parseVersion(version), bump);
  if (next === null) throw new LockageError(`${version} has no next ${bump} version`);
  return next;
}

/** Compares versions: negative, zero or positive as `a` is before, equal to or after `b` in semver's order. */
export function compareVersions(a: string, b: string): number {
  return semver.compare(a, b);
}
