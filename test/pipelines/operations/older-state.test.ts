import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { OperationName, RequestOf } from '../../../pipelines/operations/perform.ts';
import type { MemoryWorld } from './memory-world.ts';
import { accessory, host, record, revision } from '../model/values.ts';
import { errorOf, onHosts, onMachines, onSwarm, worldOf } from './situations.ts';

const environment = 'prod';

/** A world where 1.0.0 and 2.0.0 came into prod, and whose hosts know two revisions more than its state. */
async function overtaken(prepare: () => Promise<MemoryWorld>): Promise<MemoryWorld> {
  const world = await prepare();
  const known = world.place().record.ledger.revisions.at(-1)?.number ?? 0;
  world.place().fence = { revision: known + 2, operation: 'elsewhere', recorded: known + 2 };
  world.calm();
  return world;
}

const hosts = () => worldOf(onHosts(), '1.0.0', '2.0.0');
const cordoned = async () => {
  const world = await hosts();
  await world.perform('cordon', { environment, host: 'prod-2' });
  return world;
};
const withDatabase = () => worldOf(onHosts({ accessories: [accessory('db')] }), '1.0.0', '2.0.0');
const smoke = { name: 'smoke', command: ['k6'], image: 'k6:1', env: {}, secrets: [], timeout: 1000, retries: 0 };
const verified = () => worldOf(onHosts({ verification: [smoke] }), '1.0.0', '2.0.0');
const migration = { command: ['migrate'], timeout: 1000, secrets: [], env: {}, dump: ['db'], keep: 2 };
const migrated = () => worldOf(onHosts({ migration, accessories: [accessory('db')] }), '1.0.0', '2.0.0');
const onHold = async () => {
  const world = await hosts();
  await world.perform('rollback', { environment, startedAt: 0 });
  return world;
};

/** One of the hosts does not answer any more. */
function loseHost(world: MemoryWorld): void {
  world.place().silent.add('prod-2');
  world.fail('hosts.look', new LockageError('1 of 2 hosts of prod cannot be used'));
}

/** Performs an operation in a world that is overtaken, and expects that it is refused and nothing changes. */
async function expectRefused<Name extends OperationName>(
  prepare: () => Promise<MemoryWorld>,
  name: Name,
  request: RequestOf<Name>,
  meanwhile: (world: MemoryWorld) => void = () => undefined,
): Promise<void> {
  const world = await overtaken(prepare);
  meanwhile(world);
  const before = world.state();
  const error = await errorOf(world, name, request);
  expect(error?.constructor).toBe(LockageError);
  expect(error?.message).toMatch(/^hosts of prod know revision \d+, this state knows (\d+|none)$/);
  expect(world.state()).toBe(before);
}

describe('an older copy of the state changes nothing', () => {
  test('by a promotion', () => expectRefused(hosts, 'promote', { environment, version: '3.0.0' }));
  test('by a promotion of what it takes for serving', () =>
    expectRefused(hosts, 'promote', { environment, version: '2.0.0' }));
  test('by a rollback', () => expectRefused(hosts, 'rollback', { environment, startedAt: 0 }));
  test('by an archiving', () => expectRefused(hosts, 'archive', { environment, withData: false }));
  test('by a resume', () => expectRefused(onHold, 'resume', { environment }));
  test('by a resume where it has no hold', () => expectRefused(hosts, 'resume', { environment }));
  test('by a cordon', () => expectRefused(hosts, 'cordon', { environment, host: 'prod-2' }));
  test('by the return of a host that it does not take for cordoned', () =>
    expectRefused(hosts, 'uncordon', { environment, host: 'prod-2' }));
  test('by the return of a host', () => expectRefused(cordoned, 'uncordon', { environment, host: 'prod-2' }));
  test('by a replacement of machines', () =>
    expectRefused(() => worldOf(onMachines(), '1.0.0', '2.0.0'), 'replaceMachines', { environment, version: '1.1.0' }));
});

describe('an older copy of the state changes nothing while a host is dead', () => {
  test.each<[string, () => Promise<MemoryWorld>, OperationName, object]>([
    ['a resume where it has no hold', hosts, 'resume', {}],
    ['an archiving', hosts, 'archive', { withData: false }],
    ['a cordon of that host', hosts, 'cordon', { host: 'prod-2' }],
    ['the return of a host that it does not take for cordoned', hosts, 'uncordon', { host: 'prod-2' }],
    ['a removal of a host', hosts, 'removeHost', { host: 'prod-2' }],
    ['a restart of an accessory', withDatabase, 'restartAccessory', { accessory: 'db' }],
    ['a rollback of what was lost', () => worldOf(onHosts()), 'rollback', { startedAt: 0 }],
  ])('by %s', (_, prepare, name, request) => expectRefused(prepare, name, { environment, ...request }, loseHost));
});

describe('an older state that finds nothing to go back to is told that it is older', () => {
  const first = () => worldOf(onHosts(), '1.0.0');
  const incompatible = async () => {
    const world = await worldOf(onHosts());
    const step = { schema: 2, compatible: 2 };
    world.releases = world.releases.map((each) => (each.version === '1.0.0' ? each : { ...each, ...step }));
    for (const version of ['1.0.0', '2.0.0']) await world.perform('promote', { environment, version });
    return world;
  };

  test.each<[string, () => Promise<MemoryWorld>, 'rollback' | 'drill', { readonly to?: string }]>([
    ['a rollback', first, 'rollback', {}],
    ['a rollback to what it does not know', first, 'rollback', { to: '2.0.0' }],
    ['a rollback whose code does not run with the data', incompatible, 'rollback', {}],
    ['a drill', first, 'drill', {}],
    ['a drill whose code does not run with the data', incompatible, 'drill', {}],
  ])('by %s', (_, prepare, name, request) => expectRefused(prepare, name, { environment, startedAt: 0, ...request }));
});

test('an older copy of the state forgets no host that is gone', () =>
  expectRefused(cordoned, 'removeHost', { environment, host: 'prod-2', gone: true }));

test('a cordon that an older state has already is refused, and leads no traffic away', async () => {
  const world = await worldOf(onMachines(), '1.0.0', '2.0.0');
  await world.perform('cordon', { environment, host: 'prod-2' });
  const { record: older } = world.place();
  await world.perform('uncordon', { environment, host: 'prod-2' });
  await world.perform('promote', { environment, version: '3.0.0' });
  world.place().restore(older);
  world.calm();
  const before = world.state();
  const error = await errorOf(world, 'cordon', { environment, host: 'prod-2' });
  expect(error?.message).toMatch(/^hosts of prod know revision \d+, this state knows \d+$/);
  expect(world.place().backends).toEqual(['prod-1', 'prod-2']);
  expect(world.state()).toBe(before);
});

describe('a state from before a change that made no revision changes nothing', () => {
  /** Performs something, and puts the state back from before. */
  const older = (prepare: () => Promise<MemoryWorld>, change: (world: MemoryWorld) => Promise<unknown>) => async () => {
    const world = await prepare();
    const { record: before } = world.place();
    await change(world);
    world.place().restore(before);
    world.calm();
    return world;
  };
  const changes = {
    'a cordon': older(hosts, (world) => world.perform('cordon', { environment, host: 'prod-2' })),
    'the return of a host': older(cordoned, (world) => world.perform('uncordon', { environment, host: 'prod-2' })),
    'a resume': older(onHold, (world) => world.perform('resume', { environment })),
    'a removal of a host that is gone': older(cordoned, (world) =>
      world.perform('removeHost', { environment, host: 'prod-2', gone: true }),
    ),
    'a verification': older(verified, (world) => world.perform('verify', { environment })),
    'an adoption without a host': older(hosts, (world) => {
      world.place().restore(record([]));
      return world.perform('adopt', { environment, without: ['prod-2'] });
    }),
    'a restore of data from before a migration': older(migrated, (world) => {
      const [dump] = world.place().record.ledger.dumps ?? [];
      return world.perform('restoreAccessory', { environment, accessory: 'db', file: `/shop/${dump?.file}` });
    }),
  };

  test.each(Object.entries(changes))('%s', async (_, prepare) => {
    const world = await prepare();
    const before = world.state();
    const error = await errorOf(world, 'rollback', { environment, startedAt: 0 });
    expect(error?.message).toMatch(/^hosts of prod know revision \d+, this state knows \d+$/);
    expect(world.state()).toBe(before);
  });

  test('a drill is no such change', async () => {
    const world = await older(hosts, (drilled) => drilled.perform('drill', { environment, startedAt: 0 }))();
    await world.perform('promote', { environment, version: '3.0.0' });
    expect(world.place().record.ledger.revisions.at(-1)?.number).toBe(3);
  });
});

describe('a copy of the state from the middle of an operation changes nothing, once that has ended', () => {
  const three = () => worldOf(onHosts(), '1.0.0', '2.0.0', '3.0.0');
  const back = (world: MemoryWorld) => world.perform('rollback', { environment, startedAt: 0 });
  const promote = (version: string) => (world: MemoryWorld) => world.perform('promote', { environment, version });
  const drill = (to: string) => (world: MemoryWorld) => world.perform('drill', { environment, startedAt: 0, to });
  const killed = (moment: string, act: (world: MemoryWorld) => Promise<unknown>) => async (world: MemoryWorld) => {
    world.at(moment, () => world.kill());
    await act(world).catch(() => undefined);
    world.calm();
  };
  type Act = (world: MemoryWorld) => Promise<unknown>;

  test.each<[string, () => Promise<MemoryWorld>, Act, Act]>([
    ['that of a rollback', three, back, async () => undefined],
    ['that of a rollback also after a drill', three, back, drill('3.0.0')],
    ['that of a rollback also after a drill that makes containers', three, back, drill('1.0.0')],
    [
      'that of a rollback also after a drill that was killed',
      three,
      back,
      killed('stacks.deploy made', drill('1.0.0')),
    ],
    [
      'that of a promotion also after a verification',
      verified,
      promote('3.0.0'),
      (world) => world.perform('verify', { environment }),
    ],
    ['that of a promotion also after another one of the same', hosts, promote('3.0.0'), promote('3.0.0')],
  ])('%s', async (_, prepare, act, after) => {
    const world = await prepare();
    const middle = world.copy();
    world.at('stacks.deploy claimed', () => middle.place().become(world.place()));
    await act(world);
    world.calm();
    await after(world);
    world.place().restoreFrom(middle.place());
    world.calm();
    const before = world.state();
    const error = await errorOf(world, 'promote', { environment, version: '1.0.0' });
    expect(error?.message).toMatch(/^hosts of prod know revision \d+, this state knows \d+$/);
    expect(world.state()).toBe(before);
  });
});

describe('a state that was lost changes nothing on hosts that know revisions', () => {
  const lost = () => worldOf(onHosts());
  const lostWithReleases = async () => {
    const world = await lost();
    world.releases = [];
    return world;
  };

  test('by a promotion', () => expectRefused(lost, 'promote', { environment, version: '1.0.0' }));
  test('by a promotion where the releases are lost as well', () =>
    expectRefused(lostWithReleases, 'promote', { environment, version: '1.0.0' }));
  test('by a rollback', () => expectRefused(lost, 'rollback', { environment, startedAt: 0 }));
  test('by a resume', () => expectRefused(lost, 'resume', { environment }));
  test('by a cordon', () => expectRefused(lost, 'cordon', { environment, host: 'prod-2' }));
  test('by the return of a host', () => expectRefused(lost, 'uncordon', { environment, host: 'prod-2' }));
  test('by a removal of a host', () => expectRefused(lost, 'removeHost', { environment, host: 'prod-2' }));
  test('by a scaling', () => expectRefused(() => worldOf(onSwarm()), 'scale', { environment, counts: { web: 2 } }));
  test('by a drill', () => expectRefused(lost, 'drill', { environment, startedAt: 0 }));

  test('archive of an environment whose state is lost names adopt', async () => {
    const world = await overtaken(lost);
    const error = await errorOf(world, 'archive', { environment, withData: false });
    expect(error).toMatchObject({ hint: expect.stringContaining('`lockage adopt prod`') as unknown });
    expect(error).not.toMatchObject({ hint: expect.stringContaining('destroy') as unknown });
  });
});

test('a destruction without a state says that it goes by labels', async () => {
  const world = await worldOf(onHosts(), '1.0.0');
  world.place().restore(record([]));
  await world.perform('destroy', { environment, withData: false });
  expect(world.notes).toEqual(['nothing of prod is recorded here: this is all that carries its labels on these hosts']);
});

describe('a host on which nothing of a record is', () => {
  const three = onHosts({ hosts: ['prod-1', 'prod-2', 'prod-3'].map(host) });

  test('is this project’s own where its copy is of the same history', async () => {
    const world = await worldOf(three, '1.0.0', '2.0.0');
    const { copies } = world.place();
    const own = copies.get('prod-1');
    if (own) copies.set('prod-3', own);
    expect(own?.record.ledger.revisions).toHaveLength(2);
    expect(await errorOf(world, 'promote', { environment, version: '3.0.0' })).toBeUndefined();
  });

  test('is not touched where it keeps the record of another project', async () => {
    const world = await worldOf(three, '1.0.0', '2.0.0');
    const theirs = record([revision(1, '9.0.0', { startedAt: '2025-05-05T00:00:00.000Z' })]);
    world.place().copies.set('prod-3', { app: 'shop', environment, operation: 'theirs', record: theirs });
    world.calm();
    const before = world.state();
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0' });
    expect(error).toBeInstanceOf(LockageError);
    expect(error?.message).toMatch(/^on prod-3, prod of \w+ is another project’s$/);
    expect(world.state()).toBe(before);
  });
});
