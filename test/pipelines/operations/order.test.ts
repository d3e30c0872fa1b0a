import { describe, expect, test } from 'vitest';
import { LockageError, RecordChangedError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { MemoryWorld } from './memory-world.ts';
import { deed, errorOf, everywhere, onHosts, onMachines, onSwarm, worldOf, type Deed } from './situations.ts';

const environment = 'prod';
const back = { environment, startedAt: 0 };
const cordon = { environment, host: 'prod-2' };
const no = new LockageError('not confirmed');

const cordonIt = (world: MemoryWorld) => world.perform('cordon', cordon);
const lockIt = (world: MemoryWorld) =>
  world.place().locks.set('prod-1', {
    actor: 'ben@lap',
    machine: 'lap',
    pid: 7,
    since: '2026-01-01T00:00:00Z',
    purpose: 'promote',
  });
const two: [Environment, ...string[]] = [onHosts(), '1.0.0', '2.0.0'];
const three: [Environment, ...string[]] = [onHosts(), '1.0.0', '2.0.0', '3.0.0'];
const machines: [Environment, ...string[]] = [onMachines(), '1.0.0', '2.0.0'];
const promote = deed(two, 'promote', { environment, version: '3.0.0' });
const replace = deed(machines, 'replaceMachines', { environment, version: '1.1.0' });
const again = deed(three, 'rollback', { ...back, to: '1.0.0' });

const alwaysTold = new Set([
  'builder.build',
  'builder.push',
  'configuration.removeHost',
  'hosts.liftLock',
  'hosts.lock',
  'hosts.pull',
  'hosts.unlock',
  'machines.build',
  'machines.start',
  'stacks.recordAttempt',
  'terminal.confirm',
]);

/** What of an operation's calls takes and lets go of locks, asks the operator, or changes something. */
async function storyOf({ prepare, perform }: Deed): Promise<string[]> {
  const world = await prepare();
  expect(await perform(world)).toBeUndefined();
  return world.calls.filter((each) => world.changes.includes(each) || alwaysTold.has(each));
}

const locked = (...inside: string[]) => ['hosts.lock', ...inside, 'hosts.unlock'];

describe('in this order', () => {
  test.each<[string, Deed, string[]]>([
    [
      'a release is built and recorded',
      deed([onHosts()], 'release', { version: '4.0.0' }),
      ['builder.build', 'builder.push', 'records.addRelease'],
    ],
    [
      'a promotion asks, then pulls and deploys under the lock',
      promote,
      ['terminal.confirm', ...locked('hosts.pull', 'stacks.deploy')],
    ],
    [
      'a first promotion makes what the environment stands on',
      deed([onHosts()], 'promote', { environment, version: '1.0.0' }),
      [
        'terminal.confirm',
        ...locked('hosts.pull', 'stacks.recordAttempt', 'stacks.foundation', 'stacks.deploy', 'stacks.foundation'),
      ],
    ],
    [
      'a first promotion makes machines, before the lock that is on them',
      deed([onMachines()], 'promote', { environment, version: '1.0.0' }),
      [
        'terminal.confirm',
        ...locked('machines.ensure'),
        'terminal.confirm',
        ...locked('hosts.pull', 'stacks.recordAttempt', 'stacks.foundation', 'stacks.deploy', 'stacks.foundation'),
      ],
    ],
    [
      'a rollback to a standby switches before it is recorded',
      deed(two, 'rollback', back),
      ['terminal.confirm', ...locked('hosts.switchNow', 'hosts.startAndStop', 'stacks.deploy')],
    ],
    [
      'a rollback without a standby pulls and deploys',
      again,
      ['terminal.confirm', ...locked('hosts.pull', 'stacks.deploy')],
    ],
    [
      'a resume records',
      deed(two, 'resume', { environment }, (world) => world.perform('rollback', back)),
      locked('stacks.deploy'),
    ],
    [
      'a scaling is a deployment',
      deed([onSwarm(), '1.0.0'], 'scale', { environment, counts: { web: 5 } }),
      ['terminal.confirm', ...locked('hosts.pull', 'stacks.deploy')],
    ],
    ['a cordon records', deed(two, 'cordon', cordon), locked('stacks.deploy')],
    [
      'a cordon of the first host records',
      deed(two, 'cordon', { environment, host: 'prod-1' }),
      locked('stacks.deploy'),
    ],
    ['an uncordon of an unchanged host records', deed(two, 'uncordon', cordon, cordonIt), locked('stacks.deploy')],
    [
      'an uncordon of a host that missed a release brings it there',
      deed(two, 'uncordon', cordon, async (world) => {
        await cordonIt(world);
        await world.perform('promote', { environment, version: '3.0.0' });
      }),
      ['terminal.confirm', ...locked('hosts.pull', 'stacks.deploy')],
    ],
    [
      'a destruction asks and removes',
      deed(two, 'destroy', { environment, withData: false }),
      ['terminal.confirm', ...locked('removal.destroyStack', 'removal.destroyStack')],
    ],
    [
      'a destruction of machines forgets what is on them once they can go',
      deed(machines, 'destroy', { environment, withData: false }),
      ['terminal.confirm', ...locked('machines.destroy', 'removal.forgetStack', 'removal.forgetStack')],
    ],
    [
      'an archiving asks, records and removes',
      deed(two, 'archive', { environment, withData: false }),
      [
        'terminal.confirm',
        ...locked('records.changeArchives', 'removal.destroyStack', 'removal.destroyStack'),
        'records.changeArchives',
      ],
    ],
    ['a host is taken out', deed(two, 'removeHost', cordon), ['terminal.confirm', 'configuration.removeHost']],
    [
      'a host that is gone is forgotten',
      deed(two, 'removeHost', { ...cordon, gone: true }, cordonIt),
      ['terminal.confirm', ...locked('removal.forgetHost', 'configuration.removeHost')],
    ],
    ['a lock is lifted', deed(two, 'unlock', { environment }, lockIt), ['terminal.confirm', 'hosts.liftLock']],
    [
      'machines are replaced under the locks of both',
      replace,
      [
        'terminal.confirm',
        'hosts.lock',
        'machines.ensure',
        ...locked(
          'hosts.pull',
          'hosts.pull',
          'stacks.recordAttempt',
          'stacks.foundation',
          'stacks.deploy',
          'machines.reconcile',
          'stacks.foundation',
        ),
        'hosts.unlock',
      ],
    ],
    ['an image of machines is built', deed(machines, 'buildMachineImages', {}), ['machines.build']],
    ['machines are started', deed(machines, 'startMachines', {}), ['machines.start']],
  ])('%s', async (_case, each, expected) => {
    expect(await storyOf(each)).toEqual(expected);
  });
});

describe('nothing changes', () => {
  test.each<[string, Deed]>([
    ['a promotion', promote],
    ['a rollback to a standby', deed(two, 'rollback', back)],
    ['a rollback without a standby', again],
    ['a scaling', deed([onSwarm(), '1.0.0'], 'scale', { environment, counts: { web: 5 } })],
    ['a destruction', deed(two, 'destroy', { environment, withData: false })],
    ['a destruction of machines', deed(machines, 'destroy', { environment, withData: true })],
    ['an archiving', deed(two, 'archive', { environment, withData: false })],
    ['a removal of a host', deed(two, 'removeHost', cordon)],
    ['an unlocking', deed(two, 'unlock', { environment }, lockIt)],
    ['a replacement of machines', replace],
  ])('by %s that the operator says no to', async (_case, { prepare, perform }) => {
    const world = await prepare();
    const locks = [...world.place().locks.keys()];
    world.fail('terminal.confirm', no);
    expect(await perform(world)).toBe(no);
    expect(world.changes).toEqual([]);
    expect([...world.place().locks.keys()]).toEqual(locks);
  });

  test.each<[string, Deed]>([
    ['promote', deed(two, 'promote', { environment, version: '3.0.0', planOnly: true })],
    [
      'promote, of machines that are not made',
      deed([onMachines()], 'promote', { environment, version: '1.0.0', planOnly: true }),
    ],
    ['rollback', deed(two, 'rollback', { ...back, planOnly: true })],
    ['scale', deed([onSwarm(), '1.0.0'], 'scale', { environment, counts: { web: 5 }, planOnly: true })],
    ['replaceMachines', deed(machines, 'replaceMachines', { environment, version: '1.1.0', planOnly: true })],
  ])('by %s with --plan, which takes no lock and asks nobody', async (_case, { prepare, perform }) => {
    const world = await prepare();
    expect(await perform(world)).toBeUndefined();
    expect(world.changes).toEqual([]);
    expect(world.calls).not.toContain('hosts.lock');
    expect(world.calls).not.toContain('terminal.confirm');
    expect(world.plans).toHaveLength(1);
  });

  test.each<[string, Deed]>([
    ['promote', promote],
    ['rollback', deed(two, 'rollback', back)],
    ['cordon', deed(two, 'cordon', cordon)],
    ['destroy', deed(two, 'destroy', { environment, withData: false })],
    ['archive', deed(two, 'archive', { environment, withData: false })],
    ['replaceMachines', replace],
  ])('by %s while somebody else holds the lock', async (_case, { prepare, perform }) => {
    const world = await prepare();
    lockIt(world);
    expect(await perform(world)).toMatchObject({ name: 'LockedError' });
    expect(world.changes).toEqual([]);
    expect([...world.place().locks.values()].map(({ actor }) => actor)).toEqual(['ben@lap']);
  });
});

describe('when another operator was faster', () => {
  /** Their command is done between the look and the lock of this one. */
  const meanwhile = (world: MemoryWorld, versions: readonly string[]) =>
    Promise.all(versions.map(async (version) => world.perform('promote', { environment, version })));

  async function overtaken(
    each: Deed,
    act: (other: MemoryWorld) => Promise<unknown>,
    asks = false,
  ): Promise<[MemoryWorld, unknown]> {
    const world = await each.prepare();
    world.asks = asks;
    const other = world.copy();
    await act(other);
    // With a person, while they think.
    world.at(asks ? 'terminal.confirm' : 'hosts.lock', () => {
      world.place().become(other.place());
      // Both write to one log.
      world.audit.lines = other.audit.lines;
    });
    return [world, await each.perform(world)];
  }

  test.each<[string, Deed]>([
    ['a promotion', promote],
    ['a rollback to a standby', deed(two, 'rollback', back)],
    [
      'a rollback without a standby',
      deed(two, 'rollback', back, (world) => world.place().engine('prod-1').containers.clear()),
    ],
    ['a destruction', deed(two, 'destroy', { environment, withData: false })],
    ['an archiving', deed(two, 'archive', { environment, withData: false })],
    ['a removal of a host', deed(two, 'removeHost', { environment, host: 'prod-1' })],
  ])('%s is not what was asked for at the prompt', async (_case, each) => {
    const [world, error] = await overtaken(each, (other) => meanwhile(other, ['3.0.0']), true);
    expect(error).toBeInstanceOf(RecordChangedError);
    expect(world.changes.filter((call) => call !== 'terminal.confirm')).toEqual([]);
    expect([...world.place().locks.keys()]).toEqual([]);
  });

  test('containers that a host lost while a person thought make another plan', async () => {
    const world = await promote.prepare();
    world.at('terminal.confirm', () => world.place().engine('prod-1').containers.clear());
    expect(await promote.perform(world)).toBeUndefined();
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('a rollback is another decision', async () => {
    const [world, error] = await overtaken(deed(two, 'rollback', back), (other) => meanwhile(other, ['3.0.0']));
    expect(error).toMatchObject({ message: 'prod was changed by somebody else meanwhile: nothing was done' });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  /** An operation that is begun in the middle of theirs, which ends at a moment of it. */
  async function begunInTheMiddle(
    each: Deed,
    { theirs, middle, moment }: { theirs: Deed; middle: string; moment: string },
  ): Promise<readonly [MemoryWorld, unknown]> {
    const world = await each.prepare();
    world.asks = moment === 'terminal.confirm';
    const other = world.copy();
    other.at(`stacks.deploy ${middle}`, () => world.place().become(other.place()));
    expect(await theirs.perform(other)).toBeUndefined();
    world.at(moment, () => {
      world.place().become(other.place());
      world.audit.lines = other.audit.lines;
    });
    return [world, await each.perform(world)];
  }

  const rollback = deed(two, 'rollback', back);

  test.each<[string, Deed, string, string, string]>([
    ['promotion', promote, 'claimed', 'terminal.confirm', '3.0.0'],
    ['promotion', promote, 'settled', 'terminal.confirm', '3.0.0'],
    ['promotion', promote, 'settled', 'hosts.lock', '3.0.0'],
    ['promotion', promote, 'recorded', 'hosts.lock', '3.0.0'],
    ['rollback', rollback, 'settled', 'terminal.confirm', '1.0.0'],
    ['rollback', rollback, 'settled', 'hosts.lock', '1.0.0'],
  ])(
    'a rollback that was decided while a %s was under way is another decision, once that has ended',
    async (_, theirs, middle, moment, serves) => {
      const [world, error] = await begunInTheMiddle(rollback, { theirs, middle, moment });
      expect(error).toBeInstanceOf(RecordChangedError);
      expect(error).toMatchObject({ message: 'prod was changed by somebody else meanwhile: nothing was done' });
      expect(world.calls).not.toContain('hosts.switchNow');
      expect(world.place().serves()).toEqual(everywhere(serves));
    },
  );

  test('a promotion of what they were bringing in repairs nothing', async () => {
    const between = { theirs: promote, middle: 'claimed', moment: 'hosts.lock' };
    const [world, error] = await begunInTheMiddle(promote, between);
    expect(error).toBeUndefined();
    expect(world.notes).toContain('prod already runs 3.0.0 (revision 3): nothing to do');
  });

  test('machines are not replaced', async () => {
    const [world, error] = await overtaken(replace, (other) => meanwhile(other, ['3.0.0']));
    expect(error).toMatchObject({ message: 'prod was changed by somebody else meanwhile: nothing was done' });
    expect([...world.place().machines.keys()]).toEqual(['prod-1', 'prod-2']);
  });

  test('a promotion is decided anew, from what runs now', async () => {
    const other = deed([onHosts(), '1.0.0'], 'promote', { environment, version: '3.0.0' });
    const [world, error] = await overtaken(other, (theirs) => meanwhile(theirs, ['2.0.0']));
    expect(error).toBeUndefined();
    expect(world.plans[0]?.from?.release.version).toBe('2.0.0');
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('a promotion of the same has nothing to do', async () => {
    const [world, error] = await overtaken(promote, (other) => meanwhile(other, ['3.0.0']));
    expect(error).toBeUndefined();
    expect(world.notes).toContain('prod already runs 3.0.0 (revision 3): nothing to do');
  });

  test('a promotion is refused by their rollback', async () => {
    const [world, error] = await overtaken(promote, (other) => other.perform('rollback', back));
    expect(error).toMatchObject({ message: 'release 3.0.0 may not enter prod' });
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test.each<[string, Deed]>([
    ['a promotion', promote],
    ['a rollback', deed(two, 'rollback', back)],
  ])('%s does not go on without a host that they cordoned', async (_case, each) => {
    const [world, error] = await overtaken(each, cordonIt);
    expect(error).toMatchObject({
      message: 'the hosts of prod that are in service have just changed: nothing was done',
    });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
  });

  test('a lock that changed hands is not lifted', async () => {
    const world = await worldOf(...two);
    lockIt(world);
    world.at('terminal.confirm', () => world.place().locks.clear());
    expect(await errorOf(world, 'unlock', { environment })).toMatchObject({
      message: 'the lock of prod changed hands meanwhile: nothing was lifted',
    });
  });
});

test('a lock that cannot be let go of changes no outcome', async () => {
  const world = await worldOf(...two);
  world.fail('hosts.unlock', new LockageError('prod-1 does not answer'));
  expect(await errorOf(world, 'promote', { environment, version: '3.0.0' })).toBeUndefined();
  expect(world.notes).toContain('prod stays locked on a host until its lease is over: prod-1 does not answer');
});
