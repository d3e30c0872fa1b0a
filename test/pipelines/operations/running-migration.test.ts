import { beforeEach, describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { exitCodeFor } from '../../../pipelines/model/exit-code.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, onMachines, worldOf } from './situations.ts';

const environment = 'prod';
const migration = { command: ['migrate'], timeout: 1000, secrets: [], env: {}, dump: [], keep: 2 };
let world: MemoryWorld;

/** 1.0.0 serves, and the operator of 2.0.0 died in its migration. */
beforeEach(async () => {
  world = await worldOf(onHosts({ migration }));
  await world.perform('promote', { environment, version: '1.0.0' });
  const name = 'shop-prod-migration-1234abcd';
  world.place().migrations = [{ host: 'prod-1', name, version: '2.0.0', since: '2026-01-02T03:04:05.000Z' }];
  world.calm();
});

const left =
  'a migration whose operator is gone still runs, and is left to end: ' +
  'prod-1: shop-prod-migration-1234abcd of 2.0.0, since 2026-01-02 03:04 UTC';

describe('a migration that a command which was killed has left at work', () => {
  test.each([
    ['is named, and no other release comes in meanwhile', {}],
    ['is named where another release is planned', { planOnly: true }],
  ])('%s', async (_what, more) => {
    const before = world.state();
    const error = await errorOf(world, 'promote', { environment, version: '3.0.0', ...more });
    expect(error).toBeInstanceOf(LockageError);
    expect([exitCodeFor(error), error?.message]).toEqual([2, 'the migration of 2.0.0 still runs in prod']);
    expect(error).toMatchObject({
      details: ['prod-1: shop-prod-migration-1234abcd of 2.0.0, since 2026-01-02 03:04 UTC'],
      hint: expect.stringMatching(/promote 2\.0\.0 --to prod.*docker stop shop-prod-migration-1234abcd/s) as unknown,
    });
    expect([world.state(), world.changes]).toEqual([before, []]);
  });

  test('is told by the promotion of what is recorded, which has nothing else to do', async () => {
    const { outcome } = await world.perform('promote', { environment, version: '1.0.0' });
    expect([outcome, world.notes.includes(left)]).toEqual(['unchanged', true]);
  });

  test('is told by a healing', async () => {
    const [changed] = world.place().record.containers;
    world.place().changed.set(`prod-1/${changed?.spec.name}`, 'HostConfig.Memory');
    await world.perform('heal', { environment });
    expect(world.notes).toContain(left);
  });

  test('keeps nothing from going back', async () => {
    world.place().migrations = [];
    await world.perform('promote', { environment, version: '2.0.0' });
    world.place().migrations = [{ host: 'prod-1', name: 'shop-prod-migration-5', version: '3.0.0', since: '' }];
    await world.perform('rollback', { environment, startedAt: 0 });
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  });

  test('keeps its machine from being replaced', async () => {
    const { migrations } = world.place();
    world = await worldOf(onMachines(), '1.0.0');
    world.place().migrations = migrations;
    const error = await errorOf(world, 'replaceMachines', { environment, version: '1.1.0' });
    expect([exitCodeFor(error), error?.message]).toEqual([2, 'the migration of 2.0.0 still runs in prod']);
  });

  test('is gone on with by the same release', async () => {
    const other = world.copy();
    await other.perform('promote', { environment, version: '2.0.0' });
    const name = other.place().record.migration?.spec.name ?? '';
    world.place().migrations = world.place().migrations.map((each) => ({ ...each, name }));
    const { outcome } = await world.perform('promote', { environment, version: '2.0.0' });
    expect([outcome, world.place().serves()]).toEqual(['promoted', everywhere('2.0.0')]);
  });
});
