import { expect, test } from 'vitest';
import { InterruptedError } from '../../../pipelines/errors.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { onHosts, worldOf } from './situations.ts';

const holder = { user: 'anna', machine: 'desk', pid: 4711, since: '2026-01-02T03:04:05Z' };
const anna = { record: 'releases', holder };

test('whoever has records of all environments is shown, and then they are lifted', async () => {
  const world = await worldOf(onHosts());
  world.recordLocks = [anna, { record: 'archives' }];
  const result = await perform(world.context(), 'unlockRecords', {});
  expect(result).toEqual({ outcome: 'unlocked', records: ['releases', 'archives'] });
  expect(world.recordLocks).toEqual([]);
  expect(await perform(world.context(), 'unlockRecords', {})).toEqual({ outcome: 'not locked' });
});

test('nothing is lifted that nobody agreed to', async () => {
  const world = await worldOf(onHosts());
  world.recordLocks = [anna];
  world.fail('terminal.confirm', new InterruptedError('not confirmed'));
  await expect(perform(world.context(), 'unlockRecords', {})).rejects.toThrow('not confirmed');
  expect(world.recordLocks).toEqual([anna]);
});
