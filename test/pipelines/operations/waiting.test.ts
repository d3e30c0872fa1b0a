import { describe, expect, test } from 'vitest';
import { LockedError, OvertakenError } from '../../../pipelines/errors.ts';
import type { MemoryWorld } from './memory-world.ts';
import { everywhere, onHosts, worldOf } from './situations.ts';

const environment = 'prod';
const promote = { environment, version: '3.0.0' };
const minute = 60_000;

const lockIt = (world: MemoryWorld) => {
  for (const host of ['prod-1', 'prod-2']) {
    world.place().locks.set(host, {
      actor: 'ben@lap',
      machine: 'lap',
      pid: 7,
      since: '2026-01-02T00:00:00Z',
      purpose: 'promote 2.0.0',
    });
  }
};
const unlockIt = (world: MemoryWorld) => world.place().locks.clear();
const errorOf = (running: Promise<unknown>) =>
  running.then(
    () => undefined,
    (error: unknown) => error,
  );

async function lockedWorld(): Promise<MemoryWorld> {
  const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
  lockIt(world);
  return world;
}

describe('an operation that waits', () => {
  test('goes on when the other one has ended, and says for whom it waits', async () => {
    const world = await lockedWorld();
    world.at('pause', () => unlockIt(world), 3);
    await world.perform('promote', promote, { wait: minute });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
    expect(world.notes[0]).toMatch(
      /^waiting for prod, locked by ben@lap .*: promote 2\.0\.0 \(process 7 on lap\); \d+ s left$/,
    );
  });

  test('decides from what is recorded by then', async () => {
    const world = await lockedWorld();
    const other = world.copy();
    await other.perform('promote', promote);
    world.at('pause', () => {
      world.place().become(other.place());
      unlockIt(world);
    });
    await world.perform('rollback', { environment, startedAt: 0 }, { wait: minute });
    expect(world.place().serves()).toEqual(everywhere('2.0.0'));
    expect(world.place().record.ledger.revisions).toHaveLength(4);
  });

  test('counts from when nobody keeps it any more', async () => {
    const world = await lockedWorld();
    world.at('pause', () => unlockIt(world), 3);
    const startedAt = -1000 * minute;
    const { trafficBack } = await world.perform('rollback', { environment, startedAt }, { wait: minute });
    expect(trafficBack).toBeLessThan(minute);
    const [rolledBack] = world.place().record.ledger.revisions.slice(-1);
    expect(rolledBack?.duration).toBeLessThan(minute);
  });

  test('waits once more for who was quicker', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('hosts.lock', () => lockIt(world));
    world.at('pause', () => unlockIt(world));
    await world.perform('promote', promote, { wait: minute });
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
  });

  test('is refused when the time is over', async () => {
    const world = await lockedWorld();
    expect(await errorOf(world.perform('promote', promote, { wait: minute }))).toBeInstanceOf(LockedError);
    expect(world.changes).toEqual([]);
    expect(world.calls.filter((each) => each === 'hosts.lockHolder').length).toBeGreaterThan(10);
  });

  test('ends when the operator wants to stop', async () => {
    const world = await lockedWorld();
    world.at('pause', () => world.interrupt(), 2);
    const error = await errorOf(world.perform('promote', promote, { wait: minute }));
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(world.changes).toEqual([]);
  });

  test('does not wait where it is not asked to', async () => {
    const world = await lockedWorld();
    expect(await errorOf(world.perform('promote', promote))).toBeInstanceOf(LockedError);
    expect(world.moments).not.toContain('pause');
  });
});

describe('an operation that was overtaken', () => {
  const overtaken = new OvertakenError('another operation has taken over prod');

  test.each<[string, 'promote' | 'rollback' | 'cordon', object]>([
    ['promote', 'promote', promote],
    ['rollback', 'rollback', { environment, startedAt: 0 }],
    ['cordon', 'cordon', { environment, host: 'prod-2' }],
  ])('before it began to change anything, by %s, changes nothing', async (_case, name, request) => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('hosts.lock done', () => {
      world.overtaken = overtaken;
    });
    expect(await errorOf(world.perform(name, request as never))).toBe(overtaken);
    expect(world.changes).toEqual([]);
  });

  test('in the middle of a promotion, takes nothing back', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.at('stacks.deploy switched', () => {
      world.overtaken = overtaken;
      throw overtaken;
    });
    expect(await errorOf(world.perform('promote', promote))).toBe(overtaken);
    expect(world.calls.filter((each) => each === 'stacks.deploy')).toHaveLength(1);
  });
});
