import { expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts, worldOf } from './situations.ts';

const resume = { environment: 'prod' };

async function onHold(): Promise<MemoryWorld> {
  const world = await worldOf(onHosts(), '1.0.0', '2.0.0');
  await world.perform('rollback', { environment: 'prod', reason: 'slow', startedAt: 0 });
  return world;
}

/** Somebody else's command lifts the hold. */
function lift(world: MemoryWorld): void {
  const place = world.place();
  const { hold: _, ...ledger } = place.record.ledger;
  place.record = { ...place.record, ledger };
}

test('lifts the hold under the lock, and leaves what runs and what is kept', async () => {
  const world = await onHold();
  const { containers, ledger } = world.place().record;
  expect(await world.perform('resume', resume)).toMatchObject({ outcome: 'resumed', hold: { reason: 'slow' } });
  expect(world.calls).toEqual([
    'records.environment',
    'hosts.lock',
    'records.environment',
    'hosts.look',
    'stacks.deploy',
    'records.environment',
    'hosts.unlock',
  ]);
  expect(world.place().record).toMatchObject({ containers, ledger: { revisions: ledger.revisions } });
  expect(world.place().record.ledger.hold).toBeUndefined();
  expect(world.place().serves()).toEqual(everywhere('1.0.0'));
});

test('does nothing where there is no hold, not even lock', async () => {
  const world = await worldOf(onHosts(), '1.0.0');
  expect(await world.perform('resume', resume)).toEqual({ outcome: 'not on hold' });
  expect(world.calls).toEqual(['records.environment', 'hosts.look']);
});

test('does nothing when somebody else lifted it meanwhile', async () => {
  const world = await onHold();
  world.at('hosts.lock', () => lift(world));
  expect(await world.perform('resume', resume)).toEqual({ outcome: 'not on hold' });
  expect(world.calls).toEqual(['records.environment', 'hosts.lock', 'records.environment', 'hosts.unlock']);
});

test('the hold stands when it could not be lifted', async () => {
  const world = await onHold();
  world.fail('stacks.deploy', new LockageError('the backend does not answer'));
  expect(await errorOf(world, 'resume', resume)).toMatchObject({ message: 'the backend does not answer' });
  expect(world.place().record.ledger.hold?.reason).toBe('slow');
  expect(world.calls.at(-1)).toBe('hosts.unlock');
});

test('says so when the record did not change', async () => {
  const world = await onHold();
  const { record } = world.place();
  world.at('stacks.deploy done', () => (world.place().record = record));
  expect(await errorOf(world, 'resume', resume)).toMatchObject({ message: 'the hold of prod was not lifted' });
  expect(world.calls.at(-1)).toBe('hosts.unlock');
});
