import { describe, expect, test } from 'vitest';
import type { FreezeWindow } from '../../../pipelines/model/freeze.ts';
import { releaseNamed } from '../../../pipelines/model/releases.ts';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { judgeGates, ranWell, refuseUnmet, timeCounts, type GateInputs } from '../../../pipelines/policy/gates.ts';
import { checkCommand, checkPlatform, checkUser, volumeNotes } from '../../../pipelines/policy/release-checks.ts';
import { environment, failed, record, refusal, release, revision, role, rolledBackTo } from '../model/values.ts';

/** What is said when a release is to enter, as `message | details | hint`. */
const entering = (inputs: Pick<GateInputs, 'release' | 'environment' | 'record'> & Partial<GateInputs>) =>
  refusal(() => {
    const gates = judgeGates({ upstream: {}, blocks: [], now: Date.parse('2026-01-02T00:00:00Z'), ...inputs });
    refuseUnmet(`release ${inputs.release.version}`, inputs.environment.name, gates);
  });

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
    const into = environment({ after: ['uat'] });
    expect(entering({ release: release('1.0.0'), environment: into, record: record([]), upstream: { uat } })).toBe(
      'no refusal',
    );
  });

  test('names every environment that a release skipped', () => {
    const into = environment({ after: ['qa', 'uat'] });
    const upstream = { uat, qa: record([]) };
    expect(entering({ release: release('2.0.0'), environment: into, record: record([]), upstream })).toBe(
      'release 2.0.0 may not enter prod' +
        ' | 2.0.0 has not run well in qa, where nothing runs yet | 2.0.0 has not run well in uat, which runs 1.0.0' +
        ' | Run `lockage promote 2.0.0 --to qa`, then `lockage promote 2.0.0 --to uat`.',
    );
  });

  test('is closed while the environment is on hold', () => {
    const hold = { since: '2026-01-01T12:00:00.000Z', actor: 'anna@desk', reason: 'slow', version: '2.0.0' };
    const held = record([r1], [], { hold });
    expect(entering({ release: release('1.0.0'), environment: environment(), record: held })).toBe(
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
      ' | Build it for the hosts: build.platform in lockage.yaml, or build.platforms for several.',
  );
  expect(refusal(() => checkPlatform(release('1.0.0'), hosts.slice(0, 1)))).toBe('no refusal');
});

test.each<[string[], string, boolean]>([
  [['linux/amd64', 'linux/arm64'], 'linux/arm64', true],
  [['linux/amd64', 'linux/arm64/v8'], 'linux/arm64', true],
  [['linux/amd64', 'linux/arm64'], 'linux/amd64, linux/arm64', true],
  [['linux/amd64', 'linux/arm64'], 'linux/arm', false],
  [['linux/amd64', 'linux/arm64'], 'linux/riscv64', false],
  [['linux/amd64'], 'linux/amd64, linux/arm64', false],
])('a release for %s and a host or swarm of %s: %s', (built, platform, fits) => {
  const platforms = Object.fromEntries(built.map((each) => [each, release('1.0.0').digest]));
  const said = refusal(() =>
    checkPlatform({ ...release('1.0.0'), platforms }, [{ host: { name: 'prod-1' }, platform }]),
  );
  expect(said).toMatch(fits ? /^no refusal$/ : /^release 1\.0\.0 was built for .* \| prod-1 runs /);
});

test('an image that does not say what to run is refused where a role does not say it either', () => {
  const startless = { ...release('1.0.0'), startless: true as const };
  expect(refusal(() => checkCommand(startless, environment()))).toBe(
    'the image of release 1.0.0 does not say what to run | role web of prod has no command' +
      ' | Add a CMD or ENTRYPOINT to the Dockerfile, or set `command` of the role.',
  );
  expect(() => checkCommand(startless, environment({ roles: [role({ command: ['serve'] })] }))).not.toThrow();
  expect(() => checkCommand(release('1.0.0'), environment())).not.toThrow();
});

test('what is lost with each container is said, but not of folders in memory', () => {
  const { hardening } = role();
  const kept = role({ name: 'cache', hardening: { ...hardening, tmpfs: { '/var/cache/': 1, '/data': 1 } } });
  const withVolumes = { ...release('1.0.0'), volumes: ['/data', '/var/cache'] };
  expect(volumeNotes(withVolumes, { roles: [role(), kept] })).toEqual([
    'what web writes to /data, /var/cache (a VOLUME of its image) goes with its container: data belong into an accessory',
  ]);
  expect(volumeNotes(release('1.0.0'), { roles: [role()] })).toEqual([]);
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

describe('all gates', () => {
  const hour = 3_600_000;
  const now = Date.parse('2026-01-02T00:00:00Z');
  const served = (hours: number) =>
    record([revision(1, '1.0.0', { startedAt: new Date(now - hours * hour).toISOString(), duration: 0 })]);
  const block = {
    version: '1.0.0',
    digest: release('1.0.0').digest,
    since: '2026-01-01T09:00:00.000Z',
    actor: 'ben@ci',
    reason: 'loses orders',
  };
  const christmas: FreezeWindow = {
    ...{ kind: 'fixed', zone: 'Europe/Berlin', reason: 'the feast' },
    ...{ from: Date.parse('2025-12-20T00:00:00Z'), until: Date.parse('2026-01-06T23:00:00Z') },
  };
  const prod = environment({ after: ['qa', 'uat'], soak: 2 * hour, freeze: [christmas] });
  const inputs: GateInputs = {
    release: release('1.0.0'),
    environment: prod,
    record: record([]),
    upstream: { qa: served(3), uat: served(1) },
    blocks: [block],
    image: { problem: 'tag 1.0.0 was moved', remedy: 'Make a new version.' },
    clocks: [{ host: 'prod-1', ahead: -25 * hour, precision: 10 }],
    now,
  };

  test('are told, whether they are met or not, until when, by whom, and with what helps', () => {
    expect(judgeGates(inputs)).toEqual([
      { gate: 'hold', met: true, text: 'prod is not on hold' },
      {
        gate: 'block',
        met: false,
        text: '1.0.0 is blocked since 2026-01-01 09:00 UTC by ben@ci: loses orders',
        by: 'ben@ci',
        command: 'lockage unblock 1.0.0',
      },
      { gate: 'image', met: false, text: 'tag 1.0.0 was moved', remedy: 'Make a new version.' },
      { gate: 'upstream', from: 'qa', met: true, text: '1.0.0 ran well in qa' },
      { gate: 'upstream', from: 'uat', met: true, text: '1.0.0 ran well in uat' },
      { gate: 'soak', from: 'qa', met: true, text: '1.0.0 served 3 h in qa' },
      {
        gate: 'soak',
        from: 'uat',
        met: false,
        text: '1.0.0 has served 1 h in uat, and 2 h are wanted',
        until: '2026-01-02T01:00:00.000Z',
      },
      {
        gate: 'freeze',
        met: false,
        text: 'prod is frozen until 2026-01-07 00:00 Europe/Berlin: the feast',
        until: '2026-01-06T23:00:00.000Z',
      },
      {
        gate: 'clock',
        met: false,
        text: 'the clock of this computer is 1 d 1 h ahead of prod-1',
        remedy: 'Set the clock of this computer, or of the hosts that are named, by NTP.',
      },
    ]);
  });

  test('that are closed are refused at once, with what helps', () => {
    expect(entering(inputs)).toBe(
      'release 1.0.0 may not enter prod | 1.0.0 is blocked since 2026-01-01 09:00 UTC by ben@ci: loses orders' +
        ' | tag 1.0.0 was moved | 1.0.0 has served 1 h in uat, and 2 h are wanted' +
        ' | prod is frozen until 2026-01-07 00:00 Europe/Berlin: the feast' +
        ' | the clock of this computer is 1 d 1 h ahead of prod-1' +
        ' | Run `lockage unblock 1.0.0`. Make a new version.' +
        ' Set the clock of this computer, or of the hosts that are named, by NTP.' +
        ' Run the same command again after 2026-01-06 23:00 UTC.',
    );
  });

  const open: GateInputs = { ...inputs, blocks: [], image: {}, clocks: [], environment: { ...prod, freeze: [] } };
  const soak = (changes: Partial<GateInputs>) =>
    judgeGates({ ...open, ...changes }).find(({ gate, from }) => gate === 'soak' && from === 'uat');

  test('that are open let it in', () => {
    expect(entering({ ...open, upstream: { qa: served(3), uat: served(2) } })).toBe('no refusal');
  });

  test('of time do not stop what runs there already, nor does a block', () => {
    const running = { ...open, record: record([r1]), blocks: [block] };
    expect(entering(running)).toBe('no refusal');
    expect(judgeGates(running)).toContainEqual({
      gate: 'block',
      met: true,
      by: 'ben@ci',
      text: '1.0.0 is blocked since 2026-01-01 09:00 UTC by ben@ci: loses orders; prod runs it and may go on',
    });
    expect(entering({ ...running, environment: prod })).toMatch(/prod is frozen/);
  });

  test('block an image under each of its versions', () => {
    expect(
      entering({
        ...open,
        upstream: { qa: served(3), uat: served(3) },
        release: release('1.1.0', '1'),
        blocks: [block],
      }),
    ).toBe(
      'release 1.1.0 may not enter prod | 1.1.0 is the same image as 1.0.0, which is blocked since' +
        ' 2026-01-01 09:00 UTC by ben@ci: loses orders | Run `lockage unblock 1.1.0`.',
    );
  });

  test('name what keeps time from counting', () => {
    const hold = { since: '2026-01-01T12:00:00.000Z', actor: 'anna@desk', reason: 'slow', version: '2.0.0' };
    const { ledger } = served(9);
    expect(soak({ upstream: { uat: record(ledger.revisions, [], { hold }) } })).toMatchObject({
      text: '1.0.0 has served 0 s in uat, and 2 h are wanted; uat is on hold',
      command: 'lockage resume uat',
    });
    const replaced = record([
      ...served(1).ledger.revisions,
      revision(2, '2.0.0', { startedAt: new Date(now - hour / 2).toISOString() }),
    ]);
    expect(soak({ upstream: { uat: replaced } })).toMatchObject({
      text: '1.0.0 has served 30 min in uat, and 2 h are wanted; it does not serve there now',
      command: 'lockage promote 1.0.0 --to uat',
    });
  });

  test('stay closed where a recorded time lies in the future', () => {
    expect(soak({ upstream: { uat: served(-30) } })).toMatchObject({
      met: false,
      text:
        'uat was changed 2026-01-03 06:00 UTC, which is later than it is now (2026-01-02 00:00 UTC):' +
        ' a clock is wrong, and 2 h are wanted',
    });
  });

  test('stay closed where a host does not say what time it is', () => {
    const clock = judgeGates({ ...open, clocks: [{ host: 'prod-1', error: 'no answer' }] }).at(-1);
    expect(clock).toMatchObject({ met: false, text: 'prod-1 does not say what time it is: no answer' });
  });

  test('of time count where an environment after this one counts from it', () => {
    const [dev, qa] = [environment({ name: 'dev' }), environment({ name: 'qa', after: ['dev'] })];
    const project = { environments: [dev, qa, { ...prod, after: ['qa'] }] };
    expect(project.environments.map((each) => timeCounts(project, each))).toEqual([false, true, true]);
  });
});
