import { describe, expect, test } from 'vitest';
import {
  checkParity,
  differencesAmong,
  differencesFrom,
  differenceText,
  needsInfo,
  traitsOf,
  type EngineFacts,
} from '../../../pipelines/hosts/parity.ts';
import { traitNames, type HostTraits } from '../../../pipelines/model/host-traits.ts';
import { refusal } from '../model/values.ts';

const usual: EngineFacts = {
  architecture: 'amd64',
  kernel: '6.1.0-13-amd64',
  engine: '20.10.24+dfsg1',
  os: 'Debian GNU/Linux 12 (bookworm)',
  storage: 'overlay2',
  cgroup: '2',
};

const host = (name: string, changes: Partial<EngineFacts> = {}, environment = 'prod'): HostTraits => ({
  environment,
  host: name,
  traits: traitsOf({ ...usual, ...changes }),
});
const texts = (differences: ReturnType<typeof differencesAmong>) =>
  differences.map((difference) => differenceText(difference, 'prod'));

test('traits are read from what an engine says; what it does not say stays open', () => {
  expect(traitsOf(usual)).toEqual({
    architecture: 'amd64',
    os: 'Debian GNU/Linux 12 (bookworm)',
    'kernel.minor': '6.1',
    engine: '20.10.24+dfsg1',
    'engine.minor': '20.10',
    storage: 'overlay2',
    cgroup: '2',
  });
  expect(traitsOf({ architecture: 'amd64', kernel: '', engine: 'master', cgroup: '' })).toEqual({
    architecture: 'amd64',
    engine: 'master',
    'engine.minor': 'master',
  });
});

test('the distribution is the same in a container', () => {
  expect(traitsOf({ ...usual, os: `${usual.os} (containerized)` })).toEqual(traitsOf(usual));
});

test('only some traits cost a further question', () => {
  expect(traitNames.filter((trait) => needsInfo([trait]))).toEqual(['os', 'storage', 'cgroup']);
  expect(needsInfo([])).toBe(false);
});

describe('hosts of one environment', () => {
  test('that are alike, whatever the patch of their kernel', () => {
    expect(differencesAmong([host('prod-1'), host('prod-2', { kernel: '6.1.99' })])).toEqual([]);
    expect(differencesAmong([])).toEqual([]);
  });

  test('that differ are named with their values, the value that most have first', () => {
    const hosts = [host('prod-1', { engine: '24.0.7' }), host('prod-2'), host('prod-3', { storage: 'vfs' })];
    expect(texts(differencesAmong(hosts))).toEqual([
      'engine.minor: 20.10 on prod-2, prod-3; 24.0 on prod-1',
      'storage: overlay2 on prod-1, prod-2; vfs on prod-3',
    ]);
  });

  test('that differ in a patch of the engine differ in it, and not in its minor version', () => {
    const hosts = [host('prod-1'), host('prod-2', { engine: '20.10.5' })];
    expect(differencesAmong(hosts).map(({ trait }) => trait)).toEqual(['engine']);
    expect(differencesAmong(hosts, ['engine.minor'])).toEqual([]);
  });

  test('of which one does not say', () => {
    expect(texts(differencesAmong([host('prod-1'), host('prod-2', { cgroup: undefined })], ['cgroup']))).toEqual([
      'cgroup: 2 on prod-1; unknown on prod-2',
    ]);
  });
});

describe('hosts of an environment and of the one before', () => {
  const before = [host('qa-1', {}, 'qa'), host('qa-2', { engine: '24.0.7' }, 'qa')];

  test('are alike when each value was there before', () => {
    expect(differencesFrom(before, [host('prod-1', { engine: '24.0.7' }), host('prod-2')])).toEqual([]);
  });

  test('differ in a value that no host before has', () => {
    expect(texts(differencesFrom(before, [host('prod-1', { engine: '25.0.1' }), host('prod-2')]))).toEqual([
      'engine.minor: 25.0 on prod-1; 20.10 on qa-1 of qa; 24.0 on qa-2 of qa',
    ]);
  });

  test('cannot be compared where nobody answers before', () => {
    expect(differencesFrom([], [host('prod-1')])).toEqual([]);
  });
});

describe('what an environment demands', () => {
  const hosts = [host('prod-1'), host('prod-2', { engine: '24.0.7', storage: 'vfs' })];
  const before = [host('qa-1', { architecture: 'arm64' }, 'qa'), host('load-1', { engine: '25.0.0' }, 'load')];

  test('nothing, unless it is written', () => {
    expect(refusal(() => checkParity({ name: 'prod', same: [] }, hosts, before))).toBe('no refusal');
  });

  test('holds among its hosts and against each environment before, and all that does not is named', () => {
    const same = ['architecture', 'engine.minor'] as const;
    expect(refusal(() => checkParity({ name: 'prod', same }, hosts, before)).split(' | ')).toEqual([
      'hosts differ in what has to be the same for prod',
      'engine.minor: 20.10 on prod-1; 24.0 on prod-2',
      'architecture: amd64 on prod-1, prod-2; arm64 on qa-1 of qa',
      'engine.minor: 24.0 on prod-2; 20.10 on qa-1 of qa',
      'engine.minor: 20.10 on prod-1; 24.0 on prod-2; 25.0 on load-1 of load',
      'Make them alike (`lockage host check prod` shows all of it), or take it out of `same`.',
    ]);
  });

  test('is fine where all are alike', () => {
    const qa = host('qa-1', {}, 'qa');
    expect(refusal(() => checkParity({ name: 'prod', same: traitNames }, [hosts[0] ?? qa], [qa]))).toBe('no refusal');
  });
});
