import { describe, expect, test } from 'vitest';
import {
  BrokenError,
  LockageError,
  LockedError,
  NotStartedError,
  OvertakenError,
  PartialError,
  RolledBackError,
  WorkloadFailedError,
} from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { MemoryWorld } from './memory-world.ts';
import { deed, errorOf, everywhere, onHosts, onMachines, onSwarm, worldOf, type Deed } from './situations.ts';

const environment = 'prod';
const two: [Environment, ...string[]] = [onHosts(), '1.0.0', '2.0.0'];
const back = { environment, startedAt: 0 };
const onHost2 = { environment, host: 'prod-2' };
const promote = deed(two, 'promote', { environment, version: '3.0.0' });
const stopFirst = onHosts({ roles: onHosts().roles.map((each) => ({ ...each, replace: 'stop-first' })) });
const promoteAlone = deed([stopFirst, '1.0.0', '2.0.0'], 'promote', { environment, version: '3.0.0' });
const rollback = deed(two, 'rollback', back);
const again = deed([onHosts(), '1.0.0', '2.0.0', '3.0.0'], 'rollback', { ...back, to: '1.0.0' });
const replace = deed([onMachines(), '1.0.0', '2.0.0'], 'replaceMachines', { environment, version: '1.1.0' });
const scale = deed([onSwarm(), '1.0.0'], 'scale', { environment, counts: { web: 5 } });
const cordonIt = (world: MemoryWorld) => world.perform('cordon', onHost2);
const missed = async (world: MemoryWorld) => {
  await cordonIt(world);
  await world.perform('promote', { environment, version: '3.0.0' });
};
const uncordon = deed(two, 'uncordon', onHost2, missed);
const destroy = deed(two, 'destroy', { environment, withData: false });
const destroyMachines = deed([onMachines(), '1.0.0', '2.0.0'], 'destroy', { environment, withData: false });
const forget = deed(two, 'removeHost', { ...onHost2, gone: true }, cordonIt);

const unhealthy = new WorkloadFailedError('prod-1: web was not healthy');
const unable = new BrokenError('Pulumi could not change prod');
const silent = new LockageError('prod-2 does not answer');
const partly = new PartialError('the routes did not switch on 1 of 2 hosts', { details: ['prod-2: no answer'] });
const locked = new LockedError('prod is being changed by ben@lap');
const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
const elsewhere = new LockageError('the machines of prod are on desk, and this is lap');
const away = new LockageError('the state of prod cannot be read');
const sealed = new NotStartedError('the passphrase does not open the state of prod');

/** The last revisions, as `2 1.0.0 succeeded`. */
const recorded = (world: MemoryWorld) =>
  world.place().record.ledger.revisions.map(({ number, release, result }) => `${number} ${release.version} ${result}`);

const mixed = [...everywhere('3.0.0', ['prod-1']), ...everywhere('2.0.0', ['prod-2'])];
const onServices = ['swarm web 1.0.0', 'swarm worker 1.0.0'];

describe('an error is honest', () => {
  test.each<[string, Deed, string, Error, typeof LockageError | undefined, string[], string]>([
    [
      'an unhealthy release is rolled back',
      promote,
      'stacks.deploy made',
      unhealthy,
      RolledBackError,
      everywhere('2.0.0'),
      '3 3.0.0 failed',
    ],
    [
      'what fails after the switch is rolled back',
      promote,
      'stacks.deploy switched',
      unable,
      RolledBackError,
      everywhere('2.0.0'),
      '3 3.0.0 failed',
    ],
    [
      'a full disk of the operator after the switch is rolled back',
      promote,
      'stacks.deploy switched',
      full,
      RolledBackError,
      everywhere('2.0.0'),
      '3 3.0.0 failed',
    ],
    [
      'a full disk of the operator in a rollback says that more may be changed',
      rollback,
      'stacks.deploy',
      full,
      BrokenError,
      everywhere('1.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'what fails after the record is done',
      promote,
      'stacks.deploy recorded',
      unable,
      undefined,
      everywhere('3.0.0'),
      '3 3.0.0 succeeded',
    ],
    [
      'another Pulumi at work is locked out',
      promote,
      'stacks.deploy',
      locked,
      LockedError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'a state that does not open has not started',
      promote,
      'stacks.deploy',
      sealed,
      NotStartedError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'an image that cannot be pulled refuses a rollback that makes containers again',
      again,
      'hosts.pull',
      silent,
      LockageError,
      everywhere('3.0.0'),
      '3 3.0.0 succeeded',
    ],
    [
      'a silent host refuses a promotion',
      promote,
      'hosts.preflight',
      silent,
      LockageError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'a silent host refuses a rollback',
      rollback,
      'hosts.look',
      silent,
      LockageError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'a rollback that cannot be recorded stands',
      rollback,
      'stacks.deploy',
      unable,
      BrokenError,
      everywhere('1.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'a rollback without a standby that fails is rolled back',
      again,
      'stacks.deploy made',
      unhealthy,
      RolledBackError,
      everywhere('3.0.0'),
      '4 1.0.0 failed',
    ],
    [
      'machines that fail go',
      replace,
      'stacks.deploy made',
      unhealthy,
      RolledBackError,
      everywhere('2.0.0'),
      '3 2.0.0 failed',
    ],
    [
      'a scaling that fails is rolled back',
      scale,
      'stacks.deploy made',
      unhealthy,
      RolledBackError,
      onServices,
      '2 1.0.0 failed',
    ],
    [
      'an uncordoned host that fails stays cordoned',
      uncordon,
      'stacks.deploy made',
      unhealthy,
      RolledBackError,
      mixed,
      '5 3.0.0 failed',
    ],
    [
      'an uncordoned host serves what it served where it fails after the watch has settled',
      uncordon,
      'stacks.deploy settled',
      unable,
      RolledBackError,
      mixed,
      '5 3.0.0 failed',
    ],
    [
      'a cordon that is not recorded is none',
      deed(two, 'cordon', onHost2),
      'stacks.deploy',
      unable,
      BrokenError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'a destruction does not begin where a host is silent',
      destroy,
      'removal.inventory',
      silent,
      LockageError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'machines that cannot be removed from here stay, with all that is recorded of them',
      destroyMachines,
      'machines.destroy',
      elsewhere,
      LockageError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'and so do those that another command is at work on',
      destroyMachines,
      'machines.destroy',
      locked,
      LockedError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
    [
      'a host that is forgotten, but still configured, says so',
      forget,
      'configuration.removeHost',
      silent,
      BrokenError,
      everywhere('2.0.0'),
      '2 2.0.0 succeeded',
    ],
  ])('%s', async (_case, { prepare, perform }, moment, failure, Kind, serves, last) => {
    const world = await prepare();
    world.fail(moment, failure);
    const error = await perform(world);
    expect(error?.constructor).toBe(Kind);
    expect(world.place().serves()).toEqual(serves);
    expect(recorded(world).at(-1)).toBe(last);
    expect(world.place().locks.size).toBe(0);
  });
});

describe('going back', () => {
  test('that fails as well is broken, and says why of both', async () => {
    const world = await promote.prepare();
    world.fail('stacks.deploy made', unhealthy);
    world.fail('stacks.deploy', unable, 2);
    const error = await promote.perform(world);
    expect(error).toBeInstanceOf(BrokenError);
    expect(error).toMatchObject({
      message: '3.0.0 failed in prod: prod serves 2.0.0 on all hosts as before, and that could not be recorded',
      details: ['prod-1: web was not healthy', 'then: Pulumi could not change prod'],
    });
    expect(recorded(world).at(-1)).toBe('2 2.0.0 succeeded');
  });

  /** A backend that stays away from a moment on. */
  const loseBackend = (world: MemoryWorld, moment: string) => {
    world.at(moment, () => {
      const { length } = world.moments.filter((each) => each === 'records.environment');
      for (let nth = 1; nth < 20; nth++) {
        world.fail('records.environment', away, length + nth);
        world.fail('stacks.deploy', unable, 1 + nth);
      }
      throw unable;
    });
  };

  test.each<[string, Deed, string, string[]]>([
    ['switched', promote, 'prod serves 2.0.0 on all hosts', everywhere('2.0.0')],
    ['settled', promote, 'prod serves 2.0.0 on all hosts', everywhere('2.0.0')],
    ['settled', promoteAlone, 'prod serves 2.0.0 on all hosts', everywhere('2.0.0')],
    ['settled', uncordon, 'prod serves 3.0.0 on all hosts', mixed],
    ['settled', deed([onHosts()], 'promote', { environment, version: '3.0.0' }), 'no host of prod serves anybody', []],
  ])(
    'a backend that stays away after the switch keeps no host from going back, and the error says what serves',
    async (moment, { prepare, perform }, stands, serves) => {
      const world = await prepare();
      loseBackend(world, `stacks.deploy ${moment}`);
      const error = await perform(world);
      expect(error).toBeInstanceOf(BrokenError);
      expect(error).toMatchObject({
        message: `3.0.0 failed in prod: ${stands} as before, and that could not be recorded`,
        details: ['Pulumi could not change prod', 'then: the state of prod cannot be read'],
      });
      expect(world.place().serves()).toEqual(serves);
    },
  );

  test('that reaches no host either names what each serves', async () => {
    const world = await promote.prepare();
    loseBackend(world, 'stacks.deploy settled');
    world.fail('hosts.switchNow', partly);
    const error = await promote.perform(world);
    expect(error).toBeInstanceOf(BrokenError);
    expect(error).toMatchObject({
      message: '3.0.0 failed in prod, and cleaning up failed too',
      details: expect.arrayContaining([
        'not as before: prod-1: goes elsewhere',
        'not as before: prod-2: goes elsewhere',
      ]),
    });
  });

  test('asks nothing of hosts that somebody else has by now', async () => {
    const world = await promote.prepare();
    loseBackend(world, 'stacks.deploy settled');
    world.fail('hosts.switchNow', new OvertakenError('another operation has taken over prod'));
    const error = await promote.perform(world);
    expect(error).toMatchObject({ message: '3.0.0 failed in prod, and cleaning up failed too' });
    expect(world.calls).not.toContain('hosts.startAndStop');
  });

  test('that leaves a host out names it', async () => {
    const world = await promote.prepare();
    world.fail('stacks.deploy made', unhealthy);
    world.fail('stacks.deploy', partly, 2);
    const error = await promote.perform(world);
    expect(error).toBeInstanceOf(PartialError);
    expect(error).toMatchObject({
      details: ['prod serves 2.0.0 as before, where hosts answer', 'left as it is: prod-2: no answer'],
    });
  });

  test('after the workers of before were stopped starts them again', async () => {
    const world = await promote.prepare();
    world.fail('stacks.deploy settled', unable);
    expect(await promote.perform(world)).toBeInstanceOf(RolledBackError);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('that cannot start them says on which host they rest', async () => {
    const world = await promote.prepare();
    world.fail('stacks.deploy settled', unable);
    world.fail('hosts.startAndStop', silent);
    const error = await promote.perform(world);
    expect(error).toBeInstanceOf(BrokenError);
    expect(error).toMatchObject({ details: ['prod-1: does not run', 'prod-2: does not run'] });
  });

  test('is asked for: where only some hosts serve as before, they are told from the others', async () => {
    const world = await promote.prepare();
    world.fail('stacks.deploy made', unhealthy);
    world.at('hosts.serving', () => (world.place().engine('prod-2').routes = []));
    const error = await promote.perform(world);
    expect(error).toBeInstanceOf(PartialError);
    expect(error).toMatchObject({ details: ['prod-2: goes elsewhere'] });
  });

  test.each([
    [true, 1],
    [false, 0],
  ])('a release that fails says that what it stands on stays changed, if it was (%s)', async (isChanged, times) => {
    const world = await promote.prepare();
    if (isChanged) world.place().engine('prod-2').edge = false;
    world.fail('stacks.deploy made', unhealthy);
    const error = await promote.perform(world);
    expect(error).toBeInstanceOf(RolledBackError);
    const { details } = error as RolledBackError;
    expect(
      details.filter((line) => line === 'networks, edges and accessories stay as they are configured now'),
    ).toHaveLength(times);
  });

  test.each([
    [['prod-2'], PartialError],
    [['prod-1', 'prod-2'], BrokenError],
  ] as const)('after a rollback that moved the traffic, and hosts serve nobody (%#)', async (closed, Kind) => {
    const world = await rollback.prepare();
    world.at('hosts.serving', () => {
      for (const name of closed) world.place().engine(name).routes = [];
    });
    const error = await rollback.perform(world);
    expect([error?.constructor, error?.message]).toEqual([
      Kind,
      'prod serves 1.0.0 again on all hosts, and is recorded, but visitors are not served everywhere',
    ]);
    expect(recorded(world).at(-1)).toBe('3 1.0.0 succeeded');
  });

  test('from a repair leads hosts to what is recorded, and says that they served something else', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const engines = ['prod-1', 'prod-2'].map((name) => world.place().engine(name));
    const routes = engines.map((engine) => engine.routes);
    await world.perform('promote', { environment, version: '2.0.0' });
    engines.forEach((engine, index) => (engine.routes = routes[index] ?? []));
    for (const { containers } of engines)
      for (const each of containers.values()) each.running = each.placed.spec.route !== undefined;
    world.fail('stacks.deploy made', unable);
    const error = await errorOf(world, 'promote', { environment, version: '2.0.0' });
    expect(error).toBeInstanceOf(PartialError);
    expect(error).toMatchObject({
      message: 'prod was not repaired to its end: Pulumi could not change prod',
      details: [
        'all hosts serve 2.0.0, as recorded',
        expect.stringMatching(/^it was otherwise before: prod-1: /),
        expect.any(String),
      ],
    });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('by a promotion of what serves lets a standby rest that a killed one had woken', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('stacks.deploy made', () => world.kill());
    await errorOf(world, 'promote', { environment, version: '1.0.0' });
    world.calm();
    expect(world.place().serves()).toContain('prod-1 worker 1.0.0');
    await world.perform('promote', { environment, version: '2.0.0' });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('from a promotion that followed a killed one says that hosts had served what nobody recorded', async () => {
    const world = await promote.prepare();
    world.at('stacks.deploy settled', () => world.kill());
    await promote.perform(world);
    world.calm();
    expect(world.place().answers()).toEqual(['prod-1 web 3.0.0', 'prod-2 web 3.0.0']);
    world.fail('stacks.deploy made', unhealthy);
    const error = await errorOf(world, 'promote', { environment, version: '1.0.0' });
    expect(error).toBeInstanceOf(PartialError);
    expect(error).toMatchObject({
      message: '1.0.0 was not promoted to prod: prod-1: web was not healthy',
      details: expect.arrayContaining(['all hosts serve 2.0.0, as recorded']),
    });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('with a host that is cordoned again, and cannot be led back, names it', async () => {
    const world = await uncordon.prepare();
    world.fail('stacks.deploy settled', unable);
    world.fail('hosts.switchNow', silent);
    const error = await uncordon.perform(world);
    expect(error).toBeInstanceOf(PartialError);
    expect(error).toMatchObject({ details: ['prod-2: goes elsewhere'] });
  });

  test('from new machines that died asks nothing of them', async () => {
    const world = await replace.prepare();
    world.fail('stacks.deploy made', unhealthy);
    expect(await replace.perform(world)).toBeInstanceOf(RolledBackError);
    expect(world.calls.filter((each) => /^(stacks\.deploy|machines\.reconcile)$/.test(each))).toEqual([
      'stacks.deploy',
      'machines.reconcile',
      'stacks.deploy',
      'machines.reconcile',
    ]);
    expect([...world.place().machines.keys()]).toEqual(['prod-1', 'prod-2']);
  });

  test('leaves new machines where it failed, for a person to look at', async () => {
    const world = await replace.prepare();
    world.fail('stacks.deploy made', unhealthy);
    world.fail('machines.reconcile', unable);
    expect(await replace.perform(world)).toBeInstanceOf(BrokenError);
    expect([...world.place().machines.keys()]).toEqual(['prod-1', 'prod-2', 'prod-1b', 'prod-2b']);
  });
});

test('cleaning up that fails is left to the next promotion', async () => {
  const world = await promote.prepare();
  world.fail('hosts.removeOthers', silent);
  expect(await promote.perform(world)).toBeUndefined();
  expect(world.notes).toContain('cleaning up is left to the next promotion: prod-2 does not answer');
});

test('a rollback whose workers do not start is recorded, and says so', async () => {
  const world = await rollback.prepare();
  world.fail('hosts.startAndStop', silent);
  expect(await rollback.perform(world)).toMatchObject({
    name: 'BrokenError',
    message: 'prod serves 1.0.0 again, but not all that has no traffic runs as then',
  });
  expect(recorded(world).at(-1)).toBe('3 1.0.0 succeeded');
  expect(world.place().answers()).toEqual(['prod-1 web 1.0.0', 'prod-2 web 1.0.0']);
  world.calm();
  for (const request of [back, { ...back, to: '1.0.0' }]) {
    const repeated = world.copy();
    expect(await repeated.perform('rollback', request)).toMatchObject({ outcome: 'finished', revision: { number: 3 } });
    expect(repeated.place().serves()).toEqual(everywhere('1.0.0'));
    expect(recorded(repeated).at(-1)).toBe('3 1.0.0 succeeded');
  }
});

test('the reason of a failed revision is recorded without the value of a secret', async () => {
  const world = await promote.prepare();
  world.fail('stacks.deploy made', new WorkloadFailedError(`web said ${world.secret}`));
  expect(await promote.perform(world)).toBeInstanceOf(RolledBackError);
  expect(world.place().record.ledger.revisions.at(-1)?.reason).toBe('web said [secret]');
});
