import { describe, expect, test } from 'vitest';
import { releaseNamed } from '../../../pipelines/model/releases.ts';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { checkGates, ranWell } from '../../../pipelines/policy/gates.ts';
import { checkPlatform, checkUser } from '../../../pipelines/policy/release-checks.ts';
import { environment, failed, record, refusal, release, revision, rolledBackTo } from '../model/values.ts';

const [r1, r2] = [revision(1, '1.0.0'), revision(2, '2.0.0')];
const sameImage = revision(3, '2.0.0', { containers: [] });

describe('1.0.0', () => {
  test.each<[string, boolean, Revision[]]>([
    ['has not run well where nothing ran', false, []],
    ['has not run well where it failed', false, [failed(1, '1.0.0')]],
    ['ran well where it serves', true, [r1]],
    ['ran well where it serves and a later release failed', true, [r1, failed(2, '2.0.0')]],
    ['ran well where a later release replaced it', true, [r1, r2]],
    ['ran well where a rollback brought it back', true, [r1, r2, rolledBackTo(3, r1)]],
    ['ran well where it came back and was replaced then', true, [r1, r2, rolledBackTo(3, r1), revision(4, '3.0.0')]],
    ['has not run well where it was taken back', false, [r2, revision(3, '1.0.0'), rolledBackTo(4, r2)]],
    [
      'has not run well where it was taken back long ago',
      false,
      [r2, revision(3, '1.0.0'), rolledBackTo(4, r2), sameImage],
    ],
    [
      'ran well where it was taken back and promoted anew',
      true,
      [r2, revision(3, '1.0.0'), rolledBackTo(4, r2), revision(5, '1.0.0')],
    ],
    [
      'ran well after a rollback of its configuration only',
      true,
      [r1, revision(2, '1.0.0', { containers: [] }), rolledBackTo(3, r1), revision(4, '2.0.0')],
    ],
  ])('%s', (_case, expected, revisions) => {
    expect(ranWell(record(revisions), release('1.0.0'))).toBe(expected);
  });

  test('is another release with another digest', () => {
    expect(ranWell(record([r1]), release('1.0.0', '9'))).toBe(false);
  });
});

describe('a gate', () => {
  const uat = record([r1]);

  test('lets a release in that ran well upstream', () => {
    expect(refusal(() => checkGates(release('1.0.0'), environment({ after: ['uat'] }), record([]), { uat }))).toBe(
      'no refusal',
    );
  });

  test('names every environment that a release skipped', () => {
    const into = environment({ after: ['qa', 'uat'] });
    expect(refusal(() => checkGates(release('2.0.0'), into, record([]), { uat, qa: record([]) }))).toBe(
      'release 2.0.0 may not enter prod' +
        ' | 2.0.0 has not run well in qa, where nothing runs yet | 2.0.0 has not run well in uat, which runs 1.0.0' +
        ' | Run `lockage promote 2.0.0 --to qa`, then `lockage promote 2.0.0 --to uat`.',
    );
  });

  test('is closed while the environment is on hold', () => {
    const hold = { since: '2026-01-01T12:00:00.000Z', actor: 'anna@desk', reason: 'slow', version: '2.0.0' };
    expect(refusal(() => checkGates(release('1.0.0'), environment(), record([r1], [], { hold }), {}))).toBe(
      'release 1.0.0 may not enter prod | prod is on hold since 2026-01-01 12:00 UTC by anna@desk: slow' +
        ' | Run `lockage resume prod`.',
    );
  });
});

test('a release by its version', () => {
  expect(releaseNamed([release('1.0.0'), release('2.0.0')], '2.0.0')).toEqual(release('2.0.0'));
  expect(refusal(() => releaseNamed([release('1.0.0'), release('2.0.0')], '3.0.0'))).toBe(
    'there is no release 3.0.0, did you mean 1.0.0? | latest releases: 2.0.0 (222222222222), 1.0.0 (111111111111)' +
      ' | Make it with `lockage release 3.0.0`.',
  );
});

test('hosts of another platform are refused by name', () => {
  const hosts = [
    { host: { name: 'prod-1' }, platform: 'linux/amd64' },
    { host: { name: 'prod-2' }, platform: 'linux/arm64' },
  ];
  expect(refusal(() => checkPlatform(release('1.0.0'), hosts))).toBe(
    'release 1.0.0 was built for linux/amd64 | prod-2 runs linux/arm64' +
      ' | Build it for the hosts: build.platform in lockage.yaml.',
  );
  expect(refusal(() => checkPlatform(release('1.0.0'), hosts.slice(0, 1)))).toBe('no refusal');
});

test.each(['', 'root', '0', '00', '+0', '-0', '0:0', 'root:app', '+0:1000'])(
  'an image with user "%s" is root',
  (user) => {
    expect(refusal(() => checkUser({ ...release('1.0.0'), user }, environment()))).toContain('runs as root');
  },
);

test.each(['app', '1000', '10:0', '+1', 'rooty'])('an image with user "%s" is not root', (user) => {
  expect(() => checkUser({ ...release('1.0.0'), user }, environment())).not.toThrow();
});
