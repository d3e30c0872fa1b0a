import { describe, expect, test } from 'vitest';
import { LockageError, PartialError } from '../../../pipelines/errors.ts';
import { currentRevision } from '../../../pipelines/model/ledger.ts';
import { pending } from '../../../pipelines/model/target.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onMachines, onSwarm, worldOf } from './situations.ts';

const request = { environment: 'prod' };
const names = (world: MemoryWorld, version: string, on: string) =>
  world
    .place()
    .record.containers.filter(({ host, spec }) => host.name === on && spec.version === version && spec.route)
    .map(({ spec }) => spec.name);

/** A world in which somebody changed what serves, or stands by, on a host. */
async function changed(world: MemoryWorld, version: string, on = 'prod-1'): Promise<string> {
  const [name = ''] = names(world, version, on);
  world.place().changed.set(`${on}/${name}`, 'HostConfig.Memory');
  return name;
}

describe('heal', () => {
  test('changes nothing where nothing drifted', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    expect(await world.perform('heal', request)).toMatchObject({ outcome: 'nothing drifted', treated: [] });
    expect(world.changes).toEqual([]);
    expect(world.calls).not.toContain('hosts.lock');
  });

  test.each([
    ['hosts', onHosts, 'prod-1'],
    ['machines', onMachines, 'prod-1'],
    ['a swarm', onSwarm, 'swarm'],
  ])('puts a new container in place of one that serves on %s, and is a repair in the history', async (_, make, on) => {
    const world = await worldOf(make(), '1.0.0', '2.0.0');
    const before = await changed(world, '2.0.0', on);
    const serves = world.place().serves();
    const healed = await world.perform('heal', { ...request, reason: 'by hand' });
    expect(healed).toMatchObject({ outcome: 'healed', treated: [{ what: before, by: 'replace' }], left: [] });
    expect(world.place().serves()).toEqual(serves);
    expect(names(world, '2.0.0', on)).not.toContain(before);
    expect(currentRevision(world.place().record.ledger)).toMatchObject({
      ...{ kind: 'repair', reason: 'by hand', number: 3, release: { version: '2.0.0' } },
    });
  });

  test('makes a standby again under its name, and leaves what serves alone', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const before = await changed(world, '1.0.0');
    const serving = names(world, '2.0.0', 'prod-1');
    await world.perform('heal', request);
    expect(names(world, '1.0.0', 'prod-1')).toEqual([before]);
    expect(names(world, '2.0.0', 'prod-1')).toEqual(serving);
    expect([...world.place().changed]).toEqual([]);
    await world.perform('rollback', { ...request, startedAt: 0 });
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('keeps what was found of a container before anything is changed', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const before = await changed(world, '1.0.0');
    expect(await world.perform('heal', request)).toMatchObject({ kept: '.lockage/drift/prod' });
    expect(world.place().evidence).toEqual([`prod-1/${before}`]);
    expect(world.calls.indexOf('drift.keep')).toBeLessThan(world.calls.indexOf('stacks.deploy'));
    expect(world.calls.indexOf('drift.keep')).toBeGreaterThan(world.calls.indexOf('hosts.lock'));
  });

  test('that only shows its plan changes nothing, and names all of it', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const name = await changed(world, '1.0.0');
    world.place().strangers.add('prod-2/theirs');
    const planned = await world.perform('heal', { ...request, planOnly: true });
    expect(planned).toMatchObject({ outcome: 'planned', left: [{ drift: { what: 'theirs' } }] });
    expect(world.changes).toEqual([]);
    expect(world.plans[0]?.notes).toEqual([
      `prod-1: ${name} is replaced (HostConfig.Memory)`,
      expect.stringContaining('prod-2: theirs stays (network). Take it off on prod-2'),
    ]);
  });

  test('does not touch a stranger, and ends as partial with what helps', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.place().strangers.add('prod-2/theirs');
    const alone = await errorOf(world, 'heal', request);
    expect(alone).toBeInstanceOf(PartialError);
    expect(alone).toMatchObject({ message: expect.stringContaining('nothing in prod was healed') });
    expect(world.changes).toEqual([]);
    await changed(world, '1.0.0');
    expect(await errorOf(world, 'heal', request)).toMatchObject({
      message: 'prod was healed, but not all of it: 1 thing is for a person to decide',
      details: [expect.stringContaining('docker network disconnect shop-prod theirs')],
    });
    expect([...world.place().changed]).toEqual([]);
    expect([...world.place().strangers]).toEqual(['prod-2/theirs']);
  });

  test('is refused by name while a host does not answer', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    await changed(world, '1.0.0');
    world.place().silent.add('prod-2');
    const error = await errorOf(world, 'heal', request);
    expect(error?.constructor).toBe(LockageError);
    expect(error).toMatchObject({ details: ['prod-2: does not answer'] });
    expect(world.changes).toEqual([]);
  });

  test('brings nothing in that is configured otherwise since', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    await changed(world, '1.0.0');
    Object.assign(world.place().configured, { roles: onHosts().roles.map((each) => ({ ...each, env: { A: '1' } })) });
    expect(await errorOf(world, 'heal', request)).toMatchObject({
      message: expect.stringContaining('the configuration of prod has changed since revision 1'),
    });
    expect(world.changes).toEqual([]);
  });

  test('makes no machine that is configured since, and says what does', async () => {
    const world = await worldOf(onMachines(), '1.0.0');
    await changed(world, '1.0.0');
    const { hosts } = world.place().configured;
    Object.assign(world.place().configured, { hosts: [...hosts, pending('prod-9')] });
    expect(await errorOf(world, 'heal', request)).toMatchObject({
      message: 'machines of prod are not made yet: prod-9',
      hint: expect.stringContaining('lockage promote VERSION --to prod'),
    });
    expect(world.changes).toEqual([]);
  });

  test('does not need the registry, nor lifts a hold', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('rollback', { ...request, startedAt: 0 });
    await changed(world, '1.0.0');
    await world.perform('heal', request);
    expect(world.calls.filter((call) => call.startsWith('registry'))).toEqual([]);
    expect(world.place().record.ledger.hold).toBeDefined();
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test.each(['drift.find done', 'hosts.lock'])(
    'looks again under the lock where somebody acted since %s: what they healed is not replaced again',
    async (moment) => {
      const world = await worldOf(onHosts(), '1.0.0');
      await changed(world, '1.0.0');
      world.asks = false;
      const other = world.copy();
      await other.perform('heal', request);
      world.at(moment, () => world.place().become(other.place()));
      world.at(moment, () => world.place().changed.clear());
      const revision = currentRevision(other.place().record.ledger)?.number;
      expect(await errorOf(world, 'heal', request)).toBeUndefined();
      expect(currentRevision(world.place().record.ledger)?.number).toBe(revision);
    },
  );
});
