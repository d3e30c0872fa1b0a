import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RecordsAdapter } from '../../../infra/adapters/records.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { Fleet, type Operator } from '../../support/simulation/fleet.ts';
import { sessionIn } from '../../support/context-fixture.ts';

let fleet: Fleet;
let anna: Operator;
let bert: Operator;

beforeEach(async () => {
  fleet = await Fleet.start();
  anna = await fleet.operator('anna@desk');
  bert = await fleet.operator('bert@lap');
});
afterEach(() => fleet.close());

/** What is recorded, read as a command reads it. */
const recorded = async ({ states }: Operator) => {
  const folder = join(fleet.folder, 'reader');
  mkdirSync(folder, { recursive: true });
  const settings = { backend: `file://${states.path}`, passphrase: '', folder };
  const none = async () => {
    throw new Error('nothing is changed');
  };
  const records = new RecordsAdapter(settings, 'shop', sessionIn(folder), none);
  const [releases, blocks] = await Promise.all([records.releases(), records.blocks()]);
  return {
    releases: releases.map(({ version }) => version),
    blocks: blocks.map(({ version, actor, reason }) => `${version} ${actor}: ${reason}`).toSorted(),
  };
};

test('operators who block and unblock at once lose neither blocks nor releases', async () => {
  await fleet.run(anna, 'block', { version: '4.0.0', reason: 'too early' });
  const outcomes = await Promise.all([
    fleet.run(anna, 'block', { version: '2.0.0', reason: 'loses orders' }),
    fleet.run(bert, 'block', { version: '3.0.0', reason: 'leaks' }),
    fleet.run(bert, 'unblock', { version: '4.0.0' }),
  ]);
  expect(outcomes.map(({ code, error }) => [code, error])).toEqual(outcomes.map(() => [0, undefined]));
  expect(await recorded(anna)).toEqual({
    releases: ['1.0.0', '2.0.0', '3.0.0', '4.0.0'],
    blocks: ['2.0.0 anna@desk: loses orders', '3.0.0 bert@lap: leaks'],
  });
});

test('a release that is recorded later keeps what is blocked, and what was unblocked leaves nothing', async () => {
  await fleet.run(anna, 'block', { version: '2.0.0', reason: 'loses orders' });
  await fleet.operator('carl@lap');
  expect((await recorded(anna)).blocks).toEqual(['2.0.0 anna@desk: loses orders']);
  await fleet.run(bert, 'unblock', { version: '2.0.0' });
  expect((await recorded(anna)).blocks).toEqual([]);
});

test('a blocked release asks no host for any change, whoever promotes it', async () => {
  await fleet.run(anna, 'promote', { version: '1.0.0', environment: 'prod' });
  await fleet.run(anna, 'block', { version: '2.0.0', reason: 'loses orders' });
  const { code, changes, error } = await fleet.run(bert, 'promote', { version: '2.0.0', environment: 'prod' });
  expect([code, changes]).toEqual([2, 0]);
  expect(error).toBeInstanceOf(LockageError);
  expect(await fleet.answers()).toEqual(['prod-1 1.0.0', 'prod-2 1.0.0']);
});
