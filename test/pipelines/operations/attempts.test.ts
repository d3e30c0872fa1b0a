import { describe, expect, test } from 'vitest';
import { LockageError, PartialError, RecordChangedError, RolledBackError } from '../../../pipelines/errors.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, worldOf } from './situations.ts';

const environment = 'prod';
const promote = { environment, version: '2.0.0' } as const;

/** The end of the history, as `2 2.0.0 failed: reason`. */
function history(world: MemoryWorld): string[] {
  return world
    .place()
    .known()
    .ledger.revisions.map(({ number, release, result, reason }) =>
      [`${number} ${release.version} ${result}`, ...(reason === undefined ? [] : [reason])].join(': '),
    );
}

test('a claim of a promotion that no record knows keeps nobody from changing what stays, and promoting', async () => {
  const world = await worldOf(onHosts(), '1.0.0');
  world.place().fence = { revision: 2, operation: 'killed', recorded: 1 };
  world.place().engine('prod-1').edge = false;
  expect(await errorOf(world, 'promote', promote)).toBeUndefined();
  expect(world.place().serves()).toEqual(everywhere('2.0.0'));
});

describe('history tells of', () => {
  test('a promotion whose operator is gone', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    // From that moment on no call comes through any more.
    for (const moment of ['stacks.deploy made', 'stacks.deploy', 'hosts.unlock'])
      world.fail(moment, new Error('killed'), moment === 'stacks.deploy' ? 2 : 1);
    await errorOf(world, 'promote', promote);
    expect(history(world)).toEqual(['1 1.0.0 succeeded', '2 2.0.0 unfinished']);
  });

  test('a promotion that did not go back everywhere', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.fail('stacks.deploy made', new RolledBackError('prod-2: web was not healthy'));
    world.fail('stacks.deploy switched', new PartialError('the routes did not switch on 1 of 2 hosts'));
    await errorOf(world, 'promote', promote);
    expect(history(world)).toEqual(['1 1.0.0 succeeded', '2 2.0.0 failed: prod-2: web was not healthy']);
  });

  test('a change of what stays that failed, and nothing ran before', async () => {
    const world = await worldOf(onHosts());
    world.fail('stacks.foundation', new RolledBackError('prod-1: the new edge proxy does not answer'));
    const error = await errorOf(world, 'promote', { environment, version: '1.0.0' });
    expect(error).toBeInstanceOf(RolledBackError);
    expect(history(world)).toEqual(['1 1.0.0 failed: prod-1: the new edge proxy does not answer']);
  });

  test('a change of what stays that failed where the release runs already, and of none that went well', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    world.place().engine('prod-1').edge = false;
    world.fail('stacks.foundation', new RolledBackError('prod-1 does not answer'));
    await errorOf(world, 'promote', { environment, version: '1.0.0' });
    expect(history(world)).toEqual(['1 1.0.0 succeeded', '2 1.0.0 failed: prod-1 does not answer']);
    world.calm();
    expect(await errorOf(world, 'promote', { environment, version: '1.0.0' })).toBeUndefined();
    expect(history(world).slice(0, 2)).toEqual(['1 1.0.0 succeeded', '2 1.0.0 failed: prod-1 does not answer']);
    await world.perform('promote', promote);
    expect(history(world).at(-1)).toMatch(/^\d 2\.0\.0 succeeded$/);
  });

  test('each attempt at what stays where several failed, also when nothing but a cordon follows', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    for (const nth of [1, 2]) {
      world.place().engine('prod-1').edge = false;
      world.fail('stacks.foundation', new RolledBackError(`prod-1 failed ${nth}`));
      await errorOf(world, 'promote', promote);
      world.calm();
    }
    await world.perform('cordon', { environment, host: 'prod-2' });
    expect(history(world)).toEqual([
      '1 1.0.0 succeeded',
      '2 2.0.0 failed: prod-1 failed 1',
      '3 2.0.0 failed: prod-1 failed 2',
    ]);
    expect(world.place().known().pending).toBeUndefined();
  });

  test('a rollback that some hosts did not switch for, and that the next one ends', async () => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    world.fail('hosts.switchNow', new PartialError('the routes did not switch on 1 of 2 hosts'));
    const rollback = { environment, startedAt: 0 };
    expect(await errorOf(world, 'rollback', rollback)).toBeInstanceOf(PartialError);
    const before = ['1 1.0.0 succeeded', '2 2.0.0 succeeded'];
    const failed = '3 1.0.0 failed: the routes did not switch on 1 of 2 hosts';
    expect(history(world)).toEqual([...before, failed]);
    world.calm();
    expect(await errorOf(world, 'rollback', rollback)).toBeUndefined();
    expect(world.place().serves()).toEqual(everywhere('1.0.0'));
    expect(history(world)).toEqual([...before, failed, '4 1.0.0 succeeded']);
  });

  test('an unfinished attempt also after the next one', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    for (const moment of ['stacks.deploy made', 'stacks.deploy'])
      world.fail(moment, new Error('killed'), moment === 'stacks.deploy' ? 2 : 1);
    await errorOf(world, 'promote', promote);
    world.calm();
    await world.perform('promote', { environment, version: '3.0.0' });
    expect(history(world)).toEqual(['1 1.0.0 succeeded', '2 2.0.0 unfinished', '3 3.0.0 succeeded']);
  });
});

describe('a record that somebody else changed meanwhile', () => {
  test('is not changed by a promotion, which has changed nothing then', async () => {
    const world = await worldOf(onHosts(), '1.0.0');
    const other = world.copy();
    await other.perform('promote', { environment, version: '3.0.0' });
    world.at('stacks.deploy', () => world.place().become(other.place()));
    expect(await errorOf(world, 'promote', promote)).toBeInstanceOf(RecordChangedError);
    expect(world.place().serves()).toEqual(everywhere('3.0.0'));
    expect(history(world)).toEqual(['1 1.0.0 succeeded', '2 3.0.0 succeeded']);
  });

  test.each([
    ['a cordon', 'cordon' as const, { environment, host: 'prod-2' }],
    ['a resume', 'resume' as const, { environment }],
  ])('keeps its hold and cordons, whatever %s says', async (_case, name, request) => {
    const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
    await world.perform('rollback', { environment, startedAt: 0 });
    const other = world.copy();
    await other.perform('cordon', { environment, host: 'prod-1' });
    world.at('stacks.deploy', () => world.place().become(other.place()));
    expect(await errorOf(world, name, request)).toBeInstanceOf(RecordChangedError);
    expect(world.place().known().ledger).toEqual(other.place().known().ledger);
  });
});

test('an attempt that cannot be recorded is not made', async () => {
  const world = await worldOf(onHosts());
  world.fail('stacks.recordAttempt', new LockageError('the backend does not answer'));
  expect(await errorOf(world, 'promote', { environment, version: '1.0.0' })).toBeInstanceOf(LockageError);
  expect(world.calls).not.toContain('stacks.foundation');
});
