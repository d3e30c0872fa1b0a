import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { pending } from '../../../pipelines/model/target.ts';
import { checking, good } from '../../../scripts/cli/check.ts';
import {
  factChecks,
  mtuChecks,
  parityChecks,
  platformChecks,
  unaskedChecks,
  type HostCheck,
} from '../../../scripts/cli/doctor/hosts.ts';
import { nodeCheck } from '../../../scripts/cli/doctor/machine.ts';
import { environment, host as hostNamed } from '../../pipelines/model/values.ts';

const info = {
  CgroupVersion: '2',
  Driver: 'overlay2',
  KernelVersion: '6.1.0',
  NCPU: 4,
  MemTotal: 8e9,
  LiveRestoreEnabled: true,
};
const facts = (host: string, changes: Partial<HostCheck> = {}): HostCheck => ({
  host,
  engine: '24.0.7',
  api: '1.43',
  platform: 'linux/amd64',
  traits: { architecture: 'amd64', engine: '24.0.7', 'engine.minor': '24.0', cgroup: '2', storage: 'overlay2' },
  milliseconds: 1.24,
  info,
  warnings: [],
  ...changes,
});
const texts = (checks: readonly { level: string; text: string }[]) =>
  checks.map(({ level, text }) => `${level}: ${text}`);

test.each([
  ['20.11.0', 'good'],
  ['22.0.0', 'good'],
  ['20.10.9', 'bad'],
  ['18.20.0', 'bad'],
])('Node %s is %s', (version, level) => {
  expect(nodeCheck(version).level).toBe(level);
});

describe('a host', () => {
  test('in one line when it is as it should be', () => {
    expect(texts(factChecks(facts('prod-1')))).toEqual([
      'good: 1.2 ms, Docker 24.0.7 (API 1.43), linux/amd64, kernel 6.1.0, 4 CPUs, 8.0 GB, cgroup v2, overlay2',
    ]);
  });

  test.each([
    [
      'an old engine',
      facts('prod-1', { engine: '19.3.1', api: '1.40' }),
      'bad: Docker 19.3.1 is too old: it speaks API 1.40',
    ],
    [
      'cgroup v1',
      facts('prod-1', { info: { ...info, CgroupVersion: '1' } }),
      'warning: cgroup v1: limits are less exact',
    ],
    [
      'no live-restore',
      facts('prod-1', { info: { ...info, LiveRestoreEnabled: false } }),
      'warning: containers stop while its Docker is restarted',
    ],
    [
      'a certificate that ends soon',
      facts('prod-1', { warnings: ['the server certificate expires on 2026-12-01, in 9 days'] }),
      'warning: the server certificate expires on 2026-12-01, in 9 days',
    ],
    [
      'vfs',
      facts('prod-1', { info: { ...info, Driver: 'vfs' } }),
      'warning: storage driver vfs copies every layer: slow, and needs much disk',
    ],
  ])('with %s is told so', (_case, host, text) => {
    expect(texts(factChecks(host)).slice(1)).toEqual([text]);
  });
});

test.each(['active', 'pending'])('a manager whose swarm is %s is not told to have live-restore', (state) => {
  const swarm = { NodeID: 'n', LocalNodeState: state, ControlAvailable: true, Error: '' };
  const host = facts('prod-1', { info: { ...info, LiveRestoreEnabled: false, Swarm: swarm } });
  expect(texts(factChecks(host))).toHaveLength(1);
});

test('hosts of an environment that differ are named; patches of Docker may differ', () => {
  const { traits } = facts('prod-1');
  const patched = facts('prod-2', { traits: { ...traits, engine: '24.0.9' } });
  const arm = facts('prod-3', {
    traits: { ...traits, architecture: 'arm64', engine: '25.0.1', 'engine.minor': '25.0' },
  });
  expect(parityChecks('prod', [facts('prod-1'), patched])).toEqual([]);
  expect(texts(parityChecks('prod', [patched, facts('prod-1'), arm]))).toEqual([
    'bad: its hosts differ: architecture: amd64 on prod-1, prod-2; arm64 on prod-3',
    'warning: its hosts differ: engine.minor: 24.0 on prod-1, prod-2; 25.0 on prod-3',
  ]);
});

describe('hosts of two platforms', () => {
  const { traits } = facts('prod-1');
  const amd = facts('prod-1');
  const arm = facts('prod-2', { platform: 'linux/arm64', traits: { ...traits, architecture: 'arm64' } });

  test.each([
    [{}, [], 'A release is built for one platform: list all of them in `build.platforms` of lockage.yaml.'],
    [{ platforms: ['linux/amd64', 'linux/arm64'] }, [], undefined],
    [{ platforms: ['linux/amd64', 'linux/arm64/v8'] }, [], undefined],
    [{ platform: 'linux/amd64' }, ['bad: runs linux/arm64, and releases are built for linux/amd64'], undefined],
    [
      { platforms: ['linux/amd64', 'linux/riscv64'] },
      ['bad: runs linux/arm64, and releases are built for linux/amd64, linux/riscv64'],
      undefined,
    ],
  ])('are compared with %j', (build, unfit, hint) => {
    expect(texts(platformChecks(build, [amd, arm]))).toEqual(unfit);
    expect(parityChecks('prod', [amd, arm], build).map((each) => each.hint)).toEqual(hint === undefined ? [] : [hint]);
  });
});

test('of packets that are too long, the key is named that every engine knows', () => {
  expect(mtuChecks('prod-1', { host: 1420, network: 1420 })).toEqual([]);
  expect(mtuChecks('prod-1', { host: 1400, network: 1500 })[0]?.hint).toMatch(/`network: \{ mtu: 1400 \}`/);
  expect(mtuChecks('prod-1', { host: 900, network: 1500 })[0]?.hint).toMatch(/does not go below 1280/);
});

test('what could not be found out is a problem with its hint, and the name is not said twice', async () => {
  const failing = checking('prod-1', async () => {
    throw new LockageError('prod-1: does not answer', { hint: 'Check that it is up.' });
  });
  expect(await failing).toEqual([
    { name: 'prod-1', level: 'bad', text: 'does not answer', details: [], hint: 'Check that it is up.' },
  ]);
  expect(await checking('a', async () => good('a', 'fine'))).toEqual([{ name: 'a', level: 'good', text: 'fine' }]);
});

test('a host that is cordoned or not made yet is not asked, and is no problem', () => {
  const prod = environment({ hosts: [hostNamed('prod-1'), hostNamed('prod-2'), pending('prod-3')] });
  const cordons = [{ host: 'prod-2', since: '', actor: 'ben@ci', reason: 'its disk is full' }];
  expect(texts(unaskedChecks(prod, { revisions: [], cordons }))).toEqual([
    'warning: is not asked: cordoned by ben@ci, its disk is full',
    'good: is not made yet: the next promotion makes it',
  ]);
});
