import { expect, test } from 'vitest';
import { BrokenError, LockageError, LockedError, RolledBackError } from '../../../pipelines/errors.ts';
import { deed, errorOf, onHosts, worldOf } from './situations.ts';

const db = { name: 'db', image: 'postgres:17', host: 'prod-1', volumes: {}, env: {}, secrets: [], memory: 256 };
const prod = () => onHosts({ accessories: [db] });
const request = { environment: 'prod', accessory: 'db', file: '/backups/db.sql' };
const restore = deed([prod(), '1.0.0'], 'restoreAccessory', request);
const ben = { actor: 'ben@lap', machine: 'lap', pid: 2, since: '2026-01-02T00:00:00Z', purpose: 'promote 2.0.0' };

test('a restore is asked for and then locks the environment, and a backup locks nobody out', async () => {
  const world = await worldOf(prod(), '1.0.0');
  await world.perform('restoreAccessory', request);
  const order = ['accessories.checkBackup', 'terminal.confirm', 'hosts.lock', 'accessories.restore', 'hosts.unlock'];
  expect(world.calls.filter((call) => order.includes(call))).toEqual(order);
  expect(world.changes).toEqual(['accessories.restore']);
  await world.perform('backUpAccessory', { ...request, prove: true });
  expect([world.calls, world.changes]).toEqual([['accessories.backUp'], []]);
});

test.each(['restoreAccessory', 'restartAccessory'] as const)('%s waits for who has the environment', async (name) => {
  const world = await worldOf(prod(), '1.0.0');
  world.place().locks.set('prod-1', ben);
  expect(await errorOf(world, name, request)).toBeInstanceOf(LockedError);
  expect(world.changes).toEqual([]);
  world.at('pause', () => world.place().locks.clear());
  await world.perform(name, request, { wait: 60_000 });
  expect(world.calls).toContain(name === 'restoreAccessory' ? 'accessories.restore' : 'accessories.restart');
});

test.each(['restoreAccessory', 'restartAccessory'] as const)(
  '%s is refused where hosts know more than the state',
  async (name) => {
    const world = await worldOf(prod(), '1.0.0');
    world.place().fence = { revision: 3, operation: 'elsewhere', recorded: 3 };
    world.calm();
    expect(await errorOf(world, name, request)).toMatchObject({
      constructor: LockageError,
      message: 'hosts of prod know revision 3, this state knows 1',
    });
    expect(world.changes).toEqual([]);
  },
);

test.each([
  [
    'a file that is not whole',
    'accessories.checkBackup',
    new LockageError('db.sql is not a whole backup'),
    LockageError,
  ],
  ['a file that is not whole any more', 'accessories.restore', new LockageError('not whole'), LockageError],
  ['data that was not taken in', 'accessories.restore', new RolledBackError('db has what it had'), RolledBackError],
  ['data of which nobody knows', 'accessories.restore taken', new BrokenError('db may have a part'), BrokenError],
])('%s is what a restore says', async (_, moment, error, Kind) => {
  const world = await restore.prepare();
  world.fail(moment, error);
  const thrown = await restore.perform(world);
  expect([thrown?.constructor, thrown?.message]).toEqual([Kind, error.message]);
});

test('a restore that is stopped in the middle does not say that nothing was changed', async () => {
  const world = await restore.prepare();
  world.at('accessories.restore taken', () => {
    world.interrupt();
    world.signal.throwIfAborted();
  });
  expect(await restore.perform(world)).toMatchObject({
    name: 'BrokenError',
    message: 'interrupted in the middle of a change',
  });
});

test('an accessory that is not there is refused, with what is meant', async () => {
  const world = await worldOf(prod(), '1.0.0');
  expect(await errorOf(world, 'restartAccessory', { environment: 'prod', accessory: 'bd' })).toMatchObject({
    name: 'LockageError',
    message: expect.stringMatching(/^prod has no accessory bd.*did you mean db/),
    details: ['there are db'],
  });
  expect(world.calls).toEqual([]);
});

test.each([
  [false, [{ host: 'prod-1', volume: 'f00d' }]],
  [true, []],
])(
  'data in a volume that nobody named goes with its environment only when that is asked for (%s)',
  async (withData, kept) => {
    const world = await worldOf(prod(), '1.0.0');
    world.place().nameless.set('prod-1', 'f00d');
    expect(await world.perform('destroy', { environment: 'prod', withData })).toMatchObject({ kept });
  },
);
