import { describe, expect, test } from 'vitest';
import { BrokenError, InterruptedError, LockageError, LockedError } from '../../../pipelines/errors.ts';
import type { OperationName } from '../../../pipelines/operations/perform.ts';
import { accessory } from '../model/values.ts';
import { errorOf, onHosts, worldOf } from './situations.ts';

const environment = 'prod';
const start = (...versions: string[]) => worldOf(onHosts({ accessories: [accessory('db')] }), ...versions);

describe('a wish to stop before the first change', () => {
  test.each<[OperationName, object]>([
    ['destroy', { withData: true }],
    ['archive', { withData: false }],
    ['promote', { version: '3.0.0' }],
    ['rollback', { startedAt: 0 }],
    ['drill', { startedAt: 0 }],
    ['cordon', { host: 'prod-2' }],
    ['restartAccessory', { accessory: 'db' }],
    ['restoreAccessory', { accessory: 'db', file: '/backups/db.sql' }],
  ])('is heard by %s while the lock is taken, and nothing is changed', async (name, request) => {
    const world = await start('1.0.0', '2.0.0');
    const was = world.state();
    world.at('hosts.lock done', () => world.interrupt());
    const error = await errorOf(world, name, { environment, ...request });
    expect(error).toBeInstanceOf(InterruptedError);
    expect([world.state(), [...world.place().locks]]).toEqual([was, []]);
  });

  test('does not keep what has begun from being taken back', async () => {
    const world = await start('1.0.0');
    world.at('stacks.deploy made', () => {
      world.interrupt();
      throw new LockageError('prod-1: the name is taken');
    });
    expect(await errorOf(world, 'promote', { environment, version: '2.0.0' })).toBeInstanceOf(InterruptedError);
    expect(
      world
        .place()
        .present()
        .filter((name) => name.includes('2.0.0')),
    ).toEqual([]);
  });
});

describe('a wish to stop in the middle', () => {
  test.each([1, 2])(
    'after step %i of a removal is heard before the next, and the same command ends it',
    async (step) => {
      const world = await start('1.0.0', '2.0.0');
      world.at('removal.destroyStack done', () => world.interrupt(), step);
      const error = await errorOf(world, 'destroy', { environment, withData: true });
      expect(error).toBeInstanceOf(BrokenError);
      expect(error).toMatchObject({
        message: 'interrupted: prod is removed in part',
        hint: expect.stringContaining('again'),
      });
      expect([...world.place().locks]).toEqual([]);
      world.calm();
      await world.perform('destroy', { environment, withData: true });
      expect(world.place().present()).toEqual([]);
    },
  );
});

describe('an operation that has changed nothing', () => {
  test('and meets somebody else in the backend may be tried again later, as a rollback', async () => {
    const world = await start('1.0.0', '2.0.0', '3.0.0');
    const request = { environment, to: '1.0.0', startedAt: 0 };
    world.fail('stacks.deploy', new LockedError('prod is locked by ben@lap'));
    expect(await errorOf(world, 'rollback', request)).toBeInstanceOf(LockedError);
  });

  test('says so where the lock that it was to lift changed hands', async () => {
    const world = await start('1.0.0');
    const holder = { actor: 'ben@lap', machine: 'lap', pid: 7, since: '2026-01-02T00:00:00Z', purpose: 'promote' };
    world.place().locks.set('prod-1', holder);
    world.at('hosts.liftLock', () => world.place().locks.clear());
    const error = await errorOf(world, 'unlock', { environment });
    expect([error?.constructor, error?.message]).toEqual([
      LockageError,
      'the lock of prod changed hands meanwhile: nothing was lifted',
    ]);
  });
});
