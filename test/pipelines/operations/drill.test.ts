import { describe, expect, test } from 'vitest';
import { InterruptedError, LockageError, RecordChangedError, RolledBackError } from '../../../pipelines/errors.ts';
import { errorOf, everywhere, onHosts, worldOf } from './situations.ts';

const environment = 'prod';
const request = { environment, startedAt: 0 };

describe('a drill of a rollback', () => {
  test('to a standby moves no traffic and is recorded', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    const { drill } = await world.perform('drill', request);
    expect(drill).toMatchObject({ version: '1.0.0', revision: 1, from: 'standby', actor: 'anna@desk' });
    expect(world.place().known().ledger.drill).toEqual(drill);
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
    expect(world.calls).not.toContain('hosts.switchNow');
    expect(await errorOf(world, 'rollback', request)).toBeUndefined();
  });

  test('without a standby makes its containers beside, and takes them away', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0', '3.0.0');
    const before = world.place().present().toSorted();
    let during: readonly string[] = [];
    world.at('stacks.deploy made', () => (during = world.place().serves()));
    const { drill } = await world.perform('drill', { ...request, to: '1.0.0' });
    expect(drill).toMatchObject({ version: '1.0.0', from: 'image' });
    // No worker of two releases works at once.
    expect(during).toEqual(everywhere('3.0.0'));
    expect(world.place().present().toSorted()).toEqual(before);
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
    expect(world.place().known().ledger.hold).toBeUndefined();
  });

  test.each([
    ['rehearse', undefined],
    ['deploy made', '1.0.0'],
  ])('that fails at %s says so, is recorded, and leaves what serves', async (moment, to) => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0', '3.0.0');
    world.fail(
      moment === 'rehearse' ? 'hosts.rehearse' : `stacks.${moment}`,
      new LockageError('prod-2: web is silent'),
    );
    const before = world.place().present().toSorted();
    const error = await errorOf(world, 'drill', { ...request, ...(to === undefined ? {} : { to }) });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(error?.message).toMatch(/^a rollback of prod to \d\.0\.0 would fail: prod-2: web is silent$/);
    expect(world.place().known().ledger.drill?.failed).toBe('prod-2: web is silent');
    expect(world.place().present().toSorted()).toEqual(before);
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
    world.calm();
    expect(await errorOf(world, 'drill', request)).toBeUndefined();
    expect(world.place().known().ledger.drill?.failed).toBeUndefined();
  });
});

test('a drill that fails keeps when one worked last, and how long that took', async () => {
  const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
  const { drill } = await world.perform('drill', request);
  const { at, version, duration } = drill;
  world.fail('hosts.rehearse', new LockageError('prod-2: web is silent'));
  for (let times = 0; times < 2; times += 1) {
    await errorOf(world, 'drill', request);
    expect(world.place().known().ledger.drill).toMatchObject({
      failed: 'prod-2: web is silent',
      worked: { at, version, duration },
    });
  }
});

test('a drill that somebody else kept from beginning is tried later, and takes nothing of theirs away', async () => {
  const world = await worldOf(onHosts(), '1.0.0', '2.0.0', '3.0.0');
  const other = world.copy();
  await other.perform('cordon', { environment, host: 'prod-2' });
  world.at('stacks.deploy', () => world.place().become(other.place()));
  const error = await errorOf(world, 'drill', { ...request, to: '1.0.0' });
  expect(error).toBeInstanceOf(RecordChangedError);
  expect(world.place().known()).toEqual(other.place().known());
});

test('a drill that the operator stops moves no traffic and records nothing', async () => {
  const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
  world.at('hosts.rehearse', () => world.interrupt());
  expect(await errorOf(world, 'drill', request)).toBeInstanceOf(InterruptedError);
  expect(world.place().known().ledger.drill).toBeUndefined();
  expect(world.place().serves()).toEqual(everywhere('2.0.0'));
});
