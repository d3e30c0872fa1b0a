import { describe, expect, test } from 'vitest';
import type { Environment, Role } from '../../../pipelines/model/environment.ts';
import { ledgerInPool } from '../../../pipelines/model/machine-pool.ts';
import type { RolloutInputs } from '../../../pipelines/planning/rollout-inputs.ts';
import { accessory, host, refusal, role } from '../model/values.ts';
import {
  broken,
  carriedOut,
  configured,
  cordoned,
  onHosts,
  planned,
  released,
  scene,
  sentences,
  wentBack,
  type Scene,
} from './scene.ts';

const worker = role({ name: 'worker' });
const { route: _, ...withoutRoute } = worker;
const withWorker = { roles: [role(), withoutRoute] };
const first = released(scene(), '1.0.0');
const second = released(first, '2.0.0');
const pair = released(scene(['prod-1', 'prod-2']), '1.0.0');
const roleBecomes = (now: Scene, changes: Partial<Role>) =>
  configured(now, { roles: now.environment.roles.map((each) => ({ ...each, ...changes })) });
const keeping = (standby: number) => released(scene(['prod-1'], { standby }), '1.0.0', '2.0.0', '3.0.0');
const madeAnew = ['prod-1 web 1.0.0 create', 'prod-1 web 1.0.0 standby'];

describe('what happens to each container', () => {
  test.each<[string, Scene, string, string[]]>([
    ['a first release is made', scene(), '1.0.0', ['prod-1 web 1.0.0 create']],
    [
      'a first release is made on every host',
      scene(['prod-1', 'prod-2']),
      '1.0.0',
      ['prod-1 web 1.0.0 create', 'prod-2 web 1.0.0 create'],
    ],
    [
      'each role is made',
      scene(['prod-1'], withWorker),
      '1.0.0',
      ['prod-1 web 1.0.0 create', 'prod-1 worker 1.0.0 create'],
    ],
    [
      'a role is made as often as it is configured',
      roleBecomes(scene(), { count: 2 }),
      '1.0.0',
      ['prod-1 web 1.0.0 create', 'prod-1 web 1.0.0 create'],
    ],
    ['what runs is kept', first, '1.0.0', ['prod-1 web 1.0.0 keep']],
    ['the release before is the standby', first, '2.0.0', ['prod-1 web 2.0.0 create', 'prod-1 web 1.0.0 standby']],
    [
      'the one before that goes',
      second,
      '3.0.0',
      ['prod-1 web 3.0.0 create', 'prod-1 web 2.0.0 standby', 'prod-1 web 1.0.0 remove'],
    ],
    [
      'without a standby all of before goes',
      keeping(0),
      '4.0.0',
      ['prod-1 web 4.0.0 create', 'prod-1 web 3.0.0 remove'],
    ],
    [
      'of two standbys the older one goes',
      keeping(2),
      '4.0.0',
      ['prod-1 web 4.0.0 create', 'prod-1 web 3.0.0 standby', 'prod-1 web 2.0.0 standby', 'prod-1 web 1.0.0 remove'],
    ],
    ['a standby serves again', second, '1.0.0', ['prod-1 web 1.0.0 serve', 'prod-1 web 2.0.0 standby']],
    [
      'fewer standbys are wanted',
      configured(keeping(2), { standby: 0 }),
      '3.0.0',
      ['prod-1 web 3.0.0 keep', 'prod-1 web 2.0.0 remove', 'prod-1 web 1.0.0 remove'],
    ],
    ['other variables make other containers', roleBecomes(first, { env: { LOG: 'loud' } }), '1.0.0', madeAnew],
    ['another command makes other containers', roleBecomes(first, { command: ['serve'] }), '1.0.0', madeAnew],
    [
      'other limits make other containers',
      roleBecomes(first, { limits: { ...role().limits, memory: 512 } }),
      '1.0.0',
      madeAnew,
    ],
    [
      'a host that is added gets it',
      onHosts(first, ['prod-1', 'prod-2']),
      '1.0.0',
      ['prod-1 web 1.0.0 keep', 'prod-2 web 1.0.0 create'],
    ],
    [
      'a host that left loses it',
      onHosts(pair, ['prod-1']),
      '1.0.0',
      ['prod-1 web 1.0.0 keep', 'prod-2 web 1.0.0 remove'],
    ],
    [
      'a host that left keeps no standby',
      onHosts(pair, ['prod-1']),
      '2.0.0',
      ['prod-1 web 2.0.0 create', 'prod-1 web 1.0.0 standby', 'prod-2 web 1.0.0 remove'],
    ],
    [
      'a cordoned host is left alone, and what it has stays recorded',
      cordoned(pair, 'prod-2'),
      '2.0.0',
      ['prod-1 web 2.0.0 create', 'prod-1 web 1.0.0 standby', 'prod-2 web 1.0.0 standby'],
    ],
    [
      'what has stopped is made anew',
      broken(first, 'web'),
      '1.0.0',
      ['prod-1 web 1.0.0 create', 'prod-1 web 1.0.0 remove'],
    ],
    [
      'all of a release is made anew when one of it has stopped',
      broken(pair, 'web', 'prod-2'),
      '1.0.0',
      ['prod-1 web 1.0.0 create', 'prod-2 web 1.0.0 create', 'prod-1 web 1.0.0 remove', 'prod-2 web 1.0.0 remove'],
    ],
  ])('%s', (_case, now, version, expected) => {
    expect(sentences(planned(now, version))).toEqual(expected);
  });
});

describe('unchanged', () => {
  test.each<[string, boolean, Scene, string]>([
    ['where it runs', true, first, '1.0.0'],
    ['not where nothing runs', false, scene(), '1.0.0'],
    ['not where another release runs', false, first, '2.0.0'],
    ['not where one of it has stopped', false, broken(first, 'web'), '1.0.0'],
    ['not where a host was added', false, onHosts(first, ['prod-1', 'prod-2']), '1.0.0'],
    ['not where a host left', false, onHosts(pair, ['prod-1']), '1.0.0'],
    ['where a host is cordoned', true, cordoned(pair, 'prod-2'), '1.0.0'],
    ['after a rollback to it', true, wentBack(second), '1.0.0'],
    [
      'where a worker of an earlier release rests',
      true,
      released(scene(['prod-1'], withWorker), '1.0.0', '2.0.0'),
      '2.0.0',
    ],
  ])('%s', (_case, expected, now, version) => {
    expect(planned(now, version).unchanged).toBe(expected);
  });

  test('not where an edge does not run', () => {
    const reports = [{ ...silent('prod-1'), running: new Set(first.record.containers.map(({ spec }) => spec.name)) }];
    expect(planned(first, '1.0.0', { reports }).unchanged).toBe(false);
  });
});

const silent = (name: string) => ({
  host: host(name),
  running: new Set<string>(),
  present: new Set<string>(),
  foreign: new Set<string>(),
  edge: false,
  warnings: [],
});

describe('a repair', () => {
  const repaired = carriedOut(first, planned(broken(first, 'web'), '1.0.0'));
  const nameNow = (now: Scene) => planned(now, '1.0.0').desired.serving.map(({ spec }) => spec.name);

  test('is of the same content under other names', () => {
    const [before, after] = [nameNow(first), nameNow(repaired)];
    expect(after).not.toEqual(before);
    expect(planned(broken(first, 'web'), '1.0.0').plan.kind).toBe('repair');
  });

  test('is what the release is from then on', () => {
    expect(planned(repaired, '1.0.0').unchanged).toBe(true);
    expect(planned(repaired, '1.0.0').plan.kind).toBe('promote');
  });

  test('is repaired by another attempt', () => {
    const again = planned(broken(repaired, 'web'), '1.0.0');
    expect(again.plan.kind).toBe('repair');
    expect(sentences(again)).toEqual(['prod-1 web 1.0.0 create', 'prod-1 web 1.0.0 remove']);
  });

  test('may take the first names again, once nothing has them', () => {
    const twice = carriedOut(repaired, planned(broken(repaired, 'web'), '1.0.0'));
    expect(nameNow(twice)).toEqual(nameNow(first));
  });

  test('is none of a standby that rests because it has no traffic', () => {
    const kept = released(scene(['prod-1'], withWorker), '1.0.0', '2.0.0');
    const again = planned(kept, '1.0.0');
    expect(sentences(again).slice(0, 2)).toEqual(['prod-1 web 1.0.0 serve', 'prod-1 worker 1.0.0 serve']);
    expect(again.desired.wake.map(({ spec }) => spec.role)).toEqual(['worker']);
    expect(again.plan.kind).toBe('promote');
  });

  test('is of a standby with traffic that has stopped', () => {
    const lost = first.record.containers.map(({ spec }) => spec.name);
    const again = planned({ ...second, stopped: lost }, '1.0.0');
    expect(again.plan.kind).toBe('repair');
    expect(sentences(again)).toEqual([
      'prod-1 web 1.0.0 create',
      'prod-1 web 2.0.0 standby',
      'prod-1 web 1.0.0 remove',
    ]);
  });
});

describe('a standby', () => {
  test('of an equal revision counts once', () => {
    const back = wentBack(released(scene(['prod-1'], { standby: 2 }), '1.0.0', '2.0.0'));
    expect(sentences(planned(back, '3.0.0'))).toEqual([
      'prod-1 web 3.0.0 create',
      'prod-1 web 1.0.0 standby',
      'prod-1 web 2.0.0 standby',
    ]);
  });

  test('is what a failure goes back to', () => {
    const { desired } = planned(first, '2.0.0');
    expect(desired.fallback).toEqual(first.record.containers);
    expect(desired).toMatchObject({ verify: desired.serving, guarded: true });
  });
});

describe('a scaled role', () => {
  const orchestrator = { kind: 'swarm', name: 'prod', managers: [host('prod-1')] } as const;
  const onSwarm = released(scene(['prod-1'], { orchestrator, roles: [role({ hosts: ['prod'], count: 2 })] }), '1.0.0');
  const scaled = planned(onSwarm, '1.0.0', { counts: { web: 5 } });
  const replicas = (now: Scene, version: string) =>
    planned(now, version).desired.serving.map(({ spec }) => spec.replicas);

  test('is another service of that size', () => {
    expect(sentences(scaled)).toEqual(['prod web 1.0.0 create', 'prod web 1.0.0 standby']);
    expect(scaled.plan).toMatchObject({ kind: 'scale', notes: ['web is scaled to 5; the configuration says 2'] });
    expect(scaled.desired.serving.map(({ spec }) => spec.replicas)).toEqual([5]);
  });

  test('keeps its size over promotions, until the configuration says another', () => {
    const after = carriedOut(onSwarm, scaled);
    expect(replicas(after, '2.0.0')).toEqual([5]);
    expect(replicas(roleBecomes(after, { count: 3 }), '2.0.0')).toEqual([3]);
  });

  test.each<[string, Partial<Role>]>([
    ['variables', { env: { LOG: 'loud' } }],
    ['a command', { command: ['serve'] }],
    ['a number of containers', { count: 3 }],
  ])('does not bring in %s that the configuration changed', (_case, changes) => {
    expect(refusal(() => planned(roleBecomes(onSwarm, changes), '1.0.0', { counts: { web: 5 } }))).toBe(
      'the configuration of prod has changed since revision 1' +
        ' | this would bring the changes in as well, past the gates' +
        ' | Run `lockage promote 1.0.0 --to prod` first.',
    );
  });
});

test('a swarm has one service a role, with as many replicas as it is configured', () => {
  const orchestrator = { kind: 'swarm', name: 'prod', managers: [host('prod-1'), host('prod-2')] } as const;
  const roles = [role({ hosts: ['prod'], count: 3 }), { ...withoutRoute, hosts: ['prod'] }];
  const { desired } = planned(scene(['prod-1', 'prod-2'], { orchestrator, roles }), '1.0.0');
  expect(desired.serving.map(({ spec }) => `${spec.role} ${spec.replicas}`)).toEqual(['web 3', 'worker 1']);
});

describe('a cordoned host', () => {
  const away = cordoned(pair, 'prod-2');

  test('is named by the revision that did not reach it', () => {
    expect(planned(away, '2.0.0').revision.without).toEqual(['prod-2']);
    expect(planned(pair, '2.0.0').revision.without).toBeUndefined();
  });

  test('is no way back for a release that fails', () => {
    expect(planned(away, '2.0.0').desired.fallback.map((each) => each.host.name)).toEqual(['prod-1']);
  });

  test('keeps what it has, whatever number of standbys is kept', () => {
    const many = released(configured(away, { standby: 0 }), '2.0.0', '3.0.0', '4.0.0');
    expect(sentences(planned(many, '4.0.0'))).toEqual(['prod-1 web 4.0.0 keep', 'prod-2 web 1.0.0 standby']);
  });
});

describe('a secret', () => {
  const roles = [role({ secrets: ['TOKEN'] })];
  const old = released({ ...scene(['prod-1'], { roles }), versions: { TOKEN: 'v1' } }, '1.0.0');
  const rotated = planned({ ...old, versions: { TOKEN: 'v2' } }, '1.0.0');

  test('that has another value makes other containers', () => {
    expect(sentences(rotated)).toEqual(madeAnew);
    expect(rotated.revision.secretVersions).toEqual({ TOKEN: 'v2' });
  });

  test('is kept in every version that a recorded revision needs', () => {
    expect(rotated.desired.secrets).toEqual([
      { name: 'TOKEN', version: 'v2' },
      { name: 'TOKEN', version: 'v1' },
    ]);
  });
});

describe('a migration', () => {
  const migration = { command: ['migrate'], timeout: 60_000, secrets: [], env: {} };
  const before = released(scene(['prod-1'], { migration }), '1.0.0');
  const migrating = (changes: Partial<Environment['migration']> = {}) =>
    configured(before, { migration: { ...migration, ...changes } });
  const namedByTime = (): Scene => {
    const recorded = before.record.migration;
    if (!recorded) throw new Error('none is recorded');
    const spec = { ...recorded.spec, name: 'shop-prod-migration-cfb7f2ea' };
    return { ...before, record: { ...before.record, migration: { ...recorded, spec } } };
  };

  test.each<[string, boolean, Scene, string]>([
    ['runs with the first release', true, scene(['prod-1'], { migration }), '1.0.0'],
    ['does not run again for the same', false, before, '1.0.0'],
    ['does not run again for other variables of a role', false, roleBecomes(before, { env: { LOG: 'loud' } }), '1.0.0'],
    ['does not run again because another host is the first', false, onHosts(before, ['prod-2', 'prod-1']), '1.0.0'],
    ['does not run again in a repair', false, broken(before, 'web'), '1.0.0'],
    ['runs for another image', true, before, '2.0.0'],
    ['runs with another command', true, migrating({ command: ['migrate', '--all'] }), '1.0.0'],
    ['runs with other variables', true, migrating({ env: { STEP: '2' } }), '1.0.0'],
    ['does not run again because its time is another', false, migrating({ timeout: 90_000 }), '1.0.0'],
    ['does not run again where an earlier version named it by its time', false, namedByTime(), '1.0.0'],
    ['does not run where none is configured', false, scene(), '1.0.0'],
  ])('%s', (_case, expected, now, version) => {
    expect(planned(now, version).plan.migration).toBe(expected);
  });

  test('with another time is the same one, which is waited for where it runs', () => {
    const [usual, longer] = [60_000, 90_000].map(
      (timeout) => planned(migrating({ timeout }), '2.0.0').desired.migration,
    );
    expect(longer).toEqual({ ...usual, timeout: 90_000 });
  });

  test('that is no longer configured stays recorded', () => {
    const { migration: _gone, ...rest } = before.environment;
    const { plan, desired } = planned({ ...before, environment: rest }, '2.0.0');
    expect(plan.migration).toBe(false);
    expect(desired.migration).toEqual(before.record.migration);
  });

  test('gets its own command and variables, and no traffic', () => {
    const spec = planned(migrating({ env: { STEP: '2' } }), '1.0.0').desired.migration?.spec;
    expect(spec).toMatchObject({ command: ['migrate'], env: { STEP: '2' }, role: 'migration' });
    expect(spec?.route).toBeUndefined();
  });
});

describe('machines that are replaced', () => {
  const machines = { kind: 'lxc', count: 1, memory: 1, cpus: 1, image: 'sha256:new' } as const;
  const before = released(scene(['prod-1'], { machines }), '1.0.0', '2.0.0');
  const next = onHosts(before, ['prod-1b']).environment;
  const takeOver: Partial<RolloutInputs> = {
    environment: next,
    record: { ...before.record, ledger: ledgerInPool('green', 'prod', before.record.ledger) },
    replaces: before.environment.hosts,
    reports: [],
  };
  const { plan, desired, revision } = planned(before, '2.0.0', takeOver);

  test('get the release and its standby', () => {
    expect(sentences({ plan })).toEqual([
      'prod-1b web 2.0.0 create',
      'prod-1b web 1.0.0 standby',
      'prod-1 web 2.0.0 remove',
      'prod-1 web 1.0.0 remove',
    ]);
  });

  test('get the traffic of those that they take over from', () => {
    expect(desired.handover).toEqual({ from: [host('prod-1')], to: [host('prod-1b')] });
  });

  test('are recorded with their image', () => {
    expect(revision).toMatchObject({ kind: 'image', number: 3, machineImage: 'sha256:new' });
  });
});

test('revisions are numbered on, over failures too', () => {
  expect(planned(scene(), '1.0.0').revision.number).toBe(1);
  expect(planned(second, '3.0.0').revision.number).toBe(3);
});

test.each([
  ['an older release is called older', second, '1.0.0', ['1.0.0 is older than 2.0.0, which runs']],
  ['the next one is not', first, '2.0.0', []],
  ['the same is not', first, '1.0.0', []],
])('%s', (_case, now, version, expected) => {
  expect(planned(now, version).plan.notes).toEqual(expected);
});

test('a plan tells what of the configuration changes', () => {
  const changed = roleBecomes(first, { stopGrace: 20_000 });
  expect(planned(changed, '2.0.0').plan.differences).toEqual([
    { role: 'web', key: 'stopGrace', change: 'changed', from: '10000', to: '20000' },
  ]);
});

test('accessories are watched on hosts that serve nothing else, but not on those that are cordoned', () => {
  const database = { accessories: [accessory('db')], roles: [role({ hosts: ['prod-2', 'prod-3'] })] };
  const three = scene(['prod-1', 'prod-2', 'prod-3'], database);
  const watched = (now: Scene) => planned(now, '1.0.0').desired.neighbours?.map(({ name }) => name);
  expect(watched(three)).toEqual(['prod-1']);
  expect(watched(cordoned(three, 'prod-1'))).toBeUndefined();
});
