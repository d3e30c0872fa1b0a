import { describe, expect, test } from 'vitest';
import { BrokenError, InterruptedError, PartialError, RolledBackError } from '../../../pipelines/errors.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { canFail, failureAt } from './failure-at.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { Happening, MemoryWorld } from './memory-world.ts';
import { accessory } from '../model/values.ts';
import { errorOf, everywhere, onHosts, onMachines, onSwarm, worldOf } from './situations.ts';

/** A command in a situation: what serves before it, and what after it. */
interface Case {
  readonly prepare: () => Promise<MemoryWorld>;
  readonly run: (world: MemoryWorld) => Promise<Error | undefined>;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** absent: nothing serves at the end */
  readonly goal?: string;
  /** moments at which a failure is not made good */
  readonly without?: RegExp;
}

const environment = 'prod';
const image = 'registry.example.com/k6:1';
const smoke = { name: 'smoke', command: ['k6'], image, env: {}, secrets: [], timeout: 1000, retries: 0 };
const migration = { command: ['migrate'], timeout: 1000, secrets: [], env: {}, dump: ['db'], keep: 2 };
const rollback = (to?: string) => (world: MemoryWorld) =>
  errorOf(world, 'rollback', { environment, startedAt: 0, ...(to === undefined ? {} : { to }) });
const promote = (version: string) => (world: MemoryWorld) => errorOf(world, 'promote', { environment, version });
const heal = (world: MemoryWorld) => errorOf(world, 'heal', { environment });
const archive = (world: MemoryWorld) => errorOf(world, 'archive', { environment, withData: false });
const green = ['prod-1b', 'prod-2b'];
const onServices = ['swarm web 1.0.0', 'swarm worker 1.0.0'];

/** Where somebody changed a container that serves, a standby and an edge, all on one host. */
async function drifted(prod: Environment, on: string): Promise<MemoryWorld> {
  const world = await worldOf(prod, '1.0.0', '2.0.0');
  for (const version of ['1.0.0', '2.0.0']) {
    const [changed] = world
      .place()
      .record.containers.filter(({ host, spec }) => host.name === on && spec.version === version && spec.route);
    world.place().changed.set(`${on}/${changed?.spec.name}`, 'HostConfig.Memory');
  }
  world.place().changed.set('prod-1/shop-prod-edge', 'HostConfig.Memory');
  return world;
}

/** Routes to what is gone again are answered as if there were none. */
const nobodyServedBefore = /settled$/;

const cases: Readonly<Record<string, Case>> = {
  'a first promotion': {
    prepare: () => worldOf(onHosts()),
    run: promote('1.0.0'),
    before: [],
    after: everywhere('1.0.0'),
    goal: '1.0.0',
    without: nobodyServedBefore,
  },
  'a promotion': {
    prepare: () => worldOf(onHosts(), '1.0.0', '2.0.0'),
    run: promote('3.0.0'),
    before: everywhere('2.0.0'),
    after: everywhere('3.0.0'),
    goal: '3.0.0',
  },
  'a promotion with jobs': {
    prepare: () => worldOf(onHosts({ verification: [smoke] }), '1.0.0', '2.0.0'),
    run: promote('3.0.0'),
    before: everywhere('2.0.0'),
    after: everywhere('3.0.0'),
    goal: '3.0.0',
  },
  'a promotion that is dumped before': {
    prepare: () => worldOf(onHosts({ migration, accessories: [accessory('db')] }), '1.0.0', '2.0.0'),
    run: promote('3.0.0'),
    before: everywhere('2.0.0'),
    after: everywhere('3.0.0'),
    goal: '3.0.0',
  },
  'a verification': {
    prepare: () => worldOf(onHosts({ verification: [smoke] }), '1.0.0', '2.0.0'),
    run: (world) => errorOf(world, 'verify', { environment }),
    before: everywhere('2.0.0'),
    after: everywhere('2.0.0'),
    goal: '2.0.0',
  },
  'a promotion to machines': {
    prepare: () => worldOf(onMachines(), '1.0.0'),
    run: promote('2.0.0'),
    before: everywhere('1.0.0'),
    after: everywhere('2.0.0'),
    goal: '2.0.0',
  },
  'a rollback to a standby': {
    prepare: () => worldOf(onHosts(), '1.0.0', '2.0.0'),
    run: rollback(),
    before: everywhere('2.0.0'),
    after: everywhere('1.0.0'),
    goal: '1.0.0',
  },
  'a rollback without a standby': {
    prepare: () => worldOf(onHosts(), '1.0.0', '2.0.0', '3.0.0'),
    run: rollback('1.0.0'),
    before: everywhere('3.0.0'),
    after: everywhere('1.0.0'),
    goal: '1.0.0',
  },
  'a first promotion to machines': {
    prepare: () => worldOf(onMachines()),
    run: promote('1.0.0'),
    before: [],
    after: everywhere('1.0.0'),
    goal: '1.0.0',
    without: nobodyServedBefore,
  },
  'a scaling': {
    prepare: () => worldOf(onSwarm(), '1.0.0'),
    run: (world) => errorOf(world, 'scale', { environment, counts: { web: 5 } }),
    before: onServices,
    after: onServices,
    goal: '1.0.0',
  },
  'a healing': {
    prepare: () => drifted(onHosts(), 'prod-1'),
    run: heal,
    before: everywhere('2.0.0'),
    after: everywhere('2.0.0'),
    goal: '2.0.0',
  },
  'a healing of services': {
    prepare: () => drifted(onSwarm(), 'swarm'),
    run: heal,
    before: everywhere('2.0.0', ['swarm']),
    after: everywhere('2.0.0', ['swarm']),
    goal: '2.0.0',
  },
  'a return of a host': {
    prepare: async () => {
      const world = await worldOf(onHosts(), '1.0.0');
      await world.perform('cordon', { environment, host: 'prod-2' });
      await world.perform('promote', { environment, version: '2.0.0' });
      return world;
    },
    run: (world) => errorOf(world, 'uncordon', { environment, host: 'prod-2' }),
    before: [...everywhere('2.0.0', ['prod-1']), ...everywhere('1.0.0', ['prod-2'])],
    after: everywhere('2.0.0'),
    goal: '2.0.0',
  },
  'forgetting a host': {
    prepare: async () => {
      const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
      await world.perform('cordon', { environment, host: 'prod-2' });
      world.place().engines.delete('prod-2');
      return world;
    },
    run: (world) => errorOf(world, 'removeHost', { environment, host: 'prod-2', gone: true }),
    before: everywhere('2.0.0', ['prod-1']),
    after: everywhere('2.0.0', ['prod-1']),
    goal: '2.0.0',
  },
  'a pruning': {
    prepare: async () => {
      const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
      const old = { digests: ['sha256:old'], names: ['registry.example.com/shop@sha256:old'], bytes: 1, usedBy: [] };
      world.stored.set('prod-2', { images: [old as never], volumes: [{ name: 'left', bytes: 1 }] });
      return world;
    },
    run: (world) => errorOf(world, 'prune', { environment }),
    before: everywhere('2.0.0'),
    after: everywhere('2.0.0'),
    goal: '2.0.0',
  },
  'a return of a host with what comes back as its standby': {
    prepare: async () => {
      const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
      await world.perform('cordon', { environment, host: 'prod-2' });
      await world.perform('promote', { environment, version: '1.0.0' });
      return world;
    },
    run: (world) => errorOf(world, 'uncordon', { environment, host: 'prod-2' }),
    before: [...everywhere('1.0.0', ['prod-1']), ...everywhere('2.0.0', ['prod-2'])],
    after: everywhere('1.0.0'),
    goal: '1.0.0',
  },
  'an archiving': {
    prepare: () => worldOf(onHosts(), '1.0.0', '2.0.0'),
    run: archive,
    before: everywhere('2.0.0'),
    after: [],
  },
  'an archiving of machines': {
    prepare: () => worldOf(onMachines(), '1.0.0', '2.0.0'),
    run: archive,
    before: everywhere('2.0.0'),
    after: [],
  },
  'a replacement of machines': {
    prepare: () => worldOf(onMachines(), '1.0.0', '2.0.0'),
    run: (world) => errorOf(world, 'replaceMachines', { environment, version: '1.1.0' }),
    before: everywhere('2.0.0'),
    after: everywhere('2.0.0', green),
    goal: '2.0.0',
  },
};

/** Every moment of the good path at which something can fail, as its name and how often it came before. */
async function momentsOf({ run, without }: Case, start: MemoryWorld): Promise<[moment: string, nth: number][]> {
  const world = start.copy();
  const error = await run(world);
  if (error) throw error;
  const found = world.moments.map((moment, index): [string, number] => [
    moment,
    world.moments.slice(0, index + 1).filter((each) => each === moment).length,
  ]);
  return found.filter(([moment]) => canFail(moment) && !without?.test(moment));
}

/** What an error says of what serves is true, and whatever it is, visitors are answered. */
function expectHonest(error: Error | undefined, world: MemoryWorld, { before, after, goal }: Case, was: string): void {
  const place = world.place();
  if (error === undefined) expect(place.serves()).toEqual(after);
  else if (error instanceof RolledBackError || error instanceof InterruptedError)
    expect(place.serves()).toEqual(before);
  else if (isRefusal(error)) expect(world.state()).toBe(was);
  else if (error.message.includes(`prod serves ${goal}`)) expect(place.answers()).toEqual(answersOf(after));
  expect([answersOf(before), answersOf(after)]).toContainEqual(place.answers());
}

const isRefusal = (error: Error) => !(error instanceof BrokenError || error instanceof PartialError);
const answersOf = (serving: readonly string[]) => serving.filter((each) => each.includes(' web '));

/** The ledger says that the goal serves only where it does; an archive, that all is removed only where it is. */
function expectRecordNotAhead(world: MemoryWorld, { after, goal }: Case, revision: number | undefined): void {
  if (goal === undefined) {
    if (world.archives.some(({ removed }) => removed)) expect(world.place().present()).toEqual([]);
    return;
  }
  const current = currentRevision(world.place().record.ledger);
  if (current?.number !== revision) expect(world.place().answers()).toEqual(answersOf(after));
}

/** All is as the command was to make it, and nothing else is left. */
function expectGoodEnd(world: MemoryWorld, { after, goal }: Case): void {
  const { record } = world.place();
  expect(world.place().serves()).toEqual(after);
  expect(currentRevision(record.ledger)?.release.version).toBe(goal);
  expect([...world.place().changed]).toEqual([]);
  const recorded = record.containers.map(({ host, spec }) => `${host.name}/${spec.name}`);
  expect(world.place().present().toSorted()).toEqual(recorded.toSorted());
}

/** A command that was done all the same has nothing to do again. */
async function runAgain(world: MemoryWorld, each: Case, revision: number | undefined): Promise<void> {
  world.calm();
  const isRollback = currentRevision(world.place().record.ledger)?.kind === 'rollback';
  if (isRollback && numberNow(world) !== revision) return;
  expect(await each.run(world)).toBeUndefined();
}

const numberNow = (world: MemoryWorld) => currentRevision(world.place().record.ledger)?.number;

/** Runs the command while this happens at a moment, and asks for all that has to hold then. */
async function expectSafe(each: Case, world: MemoryWorld, { moment, nth, act }: Happening) {
  const [was, revision] = [world.state(), numberNow(world)];
  world.at(moment, act, nth);
  const error = await each.run(world);
  expectHonest(error, world, each, was);
  expectRecordNotAhead(world, each, revision);
  expect([...world.place().locks.keys()]).toEqual([]);
  await runAgain(world, each, revision);
  expectGoodEnd(world, each);
}

for (const [name, each] of Object.entries(cases)) {
  const start = await each.prepare();
  const moments = await momentsOf(each, start);

  describe(`${name} is safe`, () => {
    test.each(moments)('that fails at %s (%i)', async (moment, nth) => {
      const act = () => {
        throw failureAt(moment);
      };
      await expectSafe(each, start.copy(), { moment, nth, act });
    });

    // After a call is before the next one.
    test.each(moments.filter(([moment]) => !moment.endsWith(' done')))(
      'that is interrupted at %s (%i)',
      async (moment, nth) => {
        const world = start.copy();
        const act = () => {
          world.interrupt();
          throw new Error('This operation was aborted');
        };
        await expectSafe(each, world, { moment, nth, act });
      },
    );
  });
}
