import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { bumpVersion, compareVersions, isVersion, parseVersion } from '../../../pipelines/model/version.ts';

function refusal(text: string): string {
  try {
    parseVersion(text);
  } catch (error) {
    if (error instanceof LockageError) return `${error.message} | ${error.hint}`;
    throw error;
  }
  return 'accepted';
}

describe('a version', () => {
  test.each(['0.0.0', '1.4.0', '10.20.30', '2.0.0-rc.1', '1.0.0-0.3.7'])('%s', (text) => {
    expect(parseVersion(text)).toBe(text);
    expect(isVersion(text)).toBe(true);
  });

  test.each([
    ['v1.4.0', 'not a version: "v1.4.0" | Leave out what stands before the number: 1.4.0'],
    ['=1.4.0', 'not a version: "=1.4.0" | Leave out what stands before the number: 1.4.0'],
    [' 1.4.0', 'not a version: " 1.4.0" | Leave out what stands before the number: 1.4.0'],
    ['1.4', 'not a version: "1.4" is not MAJOR.MINOR.PATCH as of semver 2.0.0 | Write all three numbers: 1.4.0'],
    ['1', 'not a version: "1" is not MAJOR.MINOR.PATCH as of semver 2.0.0 | Write all three numbers: 1.0.0'],
    [
      'latest',
      'not a version: "latest" is not MAJOR.MINOR.PATCH as of semver 2.0.0 | Write it as 1.4.0 or 1.5.0-rc.1.',
    ],
    ['', 'not a version: "" is not MAJOR.MINOR.PATCH as of semver 2.0.0 | Write it as 1.4.0 or 1.5.0-rc.1.'],
    [
      '01.4.0',
      'not a version: "01.4.0" is not MAJOR.MINOR.PATCH as of semver 2.0.0 | Write it as 1.4.0 or 1.5.0-rc.1.',
    ],
    ['1.4.0+build.5', 'the version "1.4.0+build.5" has build metadata, which a tag cannot hold | Leave it out: 1.4.0'],
  ])('is not %j', (text, message) => {
    expect(refusal(text)).toBe(message);
    expect(isVersion(text)).toBe(false);
  });

  test('is not longer than a tag may be', () => {
    expect(refusal(`1.0.0-${'a'.repeat(200)}`)).toContain('longer than 128 characters');
  });
});

test('the next version', () => {
  expect(bumpVersion('1.4.2', 'patch')).toBe('1.4.3');
  expect(bumpVersion('1.4.2', 'minor')).toBe('1.5.0');
  expect(bumpVersion('1.4.2', 'major')).toBe('2.0.0');
  expect(bumpVersion('1.5.0-rc.1', 'minor')).toBe('1.5.0');
});

test('order is semver’s, not that of text', () => {
  expect(['1.10.0', '1.9.0', '1.10.0-rc.2', '1.10.0-rc.10'].sort(compareVersions)).toEqual([
    '1.9.0',
    '1.10.0-rc.2',
    '1.10.0-rc.10',
    '1.10.0',
  ]);
});
