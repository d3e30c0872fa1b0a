import { expect, test } from 'vitest';
import { isRefusal, LockageError } from '../../../pipelines/errors.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { release } from '../model/values.ts';
import { errorOf, everywhere, onHosts, worldOf } from './situations.ts';

const reproduces = { environment: 'prod', revision: 12 };
/** A reproduction, which the places of these tests all call prod. */
const reproduction = (changes: Partial<Environment> = {}) => onHosts({ reproduces, ...changes });
const request = (version: string) => ({ environment: 'prod', release: release(version) });

test('a revision is reproduced as a promotion brings a release in, without a question to its registry', async () => {
  const world = await worldOf(reproduction());
  const { outcome, plan } = await world.perform('reproduce', request('1.0.0'));
  expect(outcome).toBe('promoted');
  // Nor does the plan say that it has it.
  expect(plan.gates?.map(({ gate }) => gate)).not.toContain('image');
  expect(plan.gates?.length).toBeGreaterThan(0);
  expect(world.place().serves()).toEqual(everywhere('1.0.0'));
  expect(world.calls.filter((call) => call.startsWith('registry.'))).toEqual([]);
  expect(world.place().record.ledger.revisions.at(-1)?.reason).toBe('reproduces revision 12 of prod');
});

test('the same one again changes nothing, another one takes its place', async () => {
  const world = await worldOf(reproduction());
  await world.perform('reproduce', request('2.0.0'));
  expect(await world.perform('reproduce', request('2.0.0'))).toMatchObject({ outcome: 'unchanged' });
  await world.perform('reproduce', request('1.0.0'));
  expect(world.place().serves()).toEqual(everywhere('1.0.0'));
});

test('no image is forgotten for it: other environments of this computer have the same engine', async () => {
  const [another, own] = [await worldOf(onHosts()), await worldOf(reproduction())];
  // More than are kept for environments that they have not run in yet.
  const many = Array.from({ length: 14 }, (_, index) => release(`4.0.${index}`, index.toString(16)));
  for (const world of [another, own]) world.releases = many;
  const [last = release('4.0.13')] = many.slice(-1);
  await another.perform('promote', { environment: 'prod', version: last.version });
  await own.perform('reproduce', { environment: 'prod', release: last });
  expect([another.forgotten.length > 0, own.forgotten]).toEqual([true, []]);
});

test('a plan changes nothing', async () => {
  const world = await worldOf(reproduction());
  expect(await world.perform('reproduce', { ...request('1.0.0'), planOnly: true })).toMatchObject({
    outcome: 'planned',
  });
  expect(world.changes).toEqual([]);
});

test('what has to be there first is made before any change, never for a plan, and nothing follows where it fails', async () => {
  const world = await worldOf(reproduction());
  const seen: number[] = [];
  const begin = async () => void seen.push(world.changes.length);
  await world.perform('reproduce', { ...request('1.0.0'), begin, planOnly: true });
  expect(seen).toEqual([]);
  await world.perform('reproduce', { ...request('1.0.0'), begin });
  expect([seen, world.changes.length > 0]).toEqual([[0], true]);
  const other = await worldOf(reproduction());
  const fails = async () => {
    throw new LockageError('test-3: no reaper');
  };
  const error = await errorOf(other, 'reproduce', { ...request('1.0.0'), begin: fails });
  expect([isRefusal(error), other.changes]).toEqual([true, []]);
});

test('what is no reproduction, or on hold, is refused', async () => {
  const world = await worldOf(onHosts());
  expect(await errorOf(world, 'reproduce', request('1.0.0'))).toMatchObject({ message: 'prod is no reproduction' });
  const held = await worldOf(reproduction(), '1.0.0', '2.0.0');
  await held.perform('rollback', { environment: 'prod', startedAt: 0 });
  expect(await errorOf(held, 'reproduce', request('2.0.0'))).toMatchObject({
    message: 'release 2.0.0 may not enter prod',
  });
});
