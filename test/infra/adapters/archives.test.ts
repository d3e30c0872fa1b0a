import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RecordsAdapter } from '../../../infra/adapters/records.ts';
import { Fleet, type Operator } from '../../support/simulation/fleet.ts';
import { sessionIn } from '../../support/context-fixture.ts';

const file = '.lockage/archive/prod-r1.lockage';
const request = { environment: 'prod', withData: false };
let fleet: Fleet;
let anna: Operator;
let bert: Operator;

beforeEach(async () => {
  fleet = await Fleet.start();
  anna = await fleet.operator('anna@desk');
  bert = await fleet.operator('bert@lap');
  await fleet.run(anna, 'promote', { version: '1.0.0', environment: 'prod' });
});
afterEach(() => fleet.close());

/** What is recorded of prod, read as a command reads it. */
const recorded = async ({ states }: Operator) => {
  const folder = join(fleet.folder, 'reader');
  mkdirSync(folder, { recursive: true });
  const settings = { backend: `file://${states.path}`, passphrase: '', folder };
  const none = async () => {
    throw new Error('nothing is changed');
  };
  const records = new RecordsAdapter(settings, 'shop', sessionIn(folder), none);
  return { ...(await records.environment('prod')), environments: await records.environments() };
};

test('what one operator archived is recorded for all, and goes on with whoever promotes to it', async () => {
  const { code, error } = await fleet.run(anna, 'archive', request);
  expect([code, error, fleet.running()]).toEqual([0, undefined, []]);
  const { archive, ledger, containers, environments } = await recorded(bert);
  const sha256 = createHash('sha256').update(readFileSync(join(fleet.folder, file)));
  expect(archive).toMatchObject({
    file,
    sha256: sha256.digest('hex'),
    actor: 'anna@desk',
    version: '1.0.0',
    removed: true,
  });
  expect([ledger.revisions.map(({ number }) => number), containers, environments]).toEqual([[1], [], []]);
  expect(await fleet.run(bert, 'promote', { version: '2.0.0', environment: 'prod' })).toMatchObject({ code: 0 });
  const after = await recorded(anna);
  expect([after.archive, after.ledger.revisions.map(({ number }) => number)]).toEqual([undefined, [1, 2]]);
  expect(await fleet.answers()).toEqual(['prod-1 2.0.0', 'prod-2 2.0.0']);
});

test('a bundle that cannot be written leaves all as it is, and asks no host for any change', async () => {
  writeFileSync(join(fleet.folder, 'in-the-way'), '');
  const { code, changes } = await fleet.run(anna, 'archive', { ...request, file: 'in-the-way/prod.lockage' });
  expect([code, changes]).toEqual([2, 0]);
  expect((await recorded(anna)).archive).toBeUndefined();
  expect(await fleet.answers()).toEqual(['prod-1 1.0.0', 'prod-2 1.0.0']);
});

test('an archiving that was killed is gone on with by another operator, with the bundle as it was written only', async () => {
  const atEdge = (call: string) => /^DELETE \/containers\/.*edge/.test(call);
  const killed = await fleet.run(anna, 'archive', request, { kind: 'killed before', at: atEdge });
  expect([killed.code, fleet.running()]).toEqual([undefined, []]);
  // Until the lease of its lock is over.
  fleet.pass(300);
  const path = join(fleet.folder, file);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, 1000));
  const refused = await fleet.run(bert, 'archive', request);
  expect([refused.code, refused.changes, refused.error]).toMatchObject([
    ...[2, 0],
    { message: expect.stringContaining(`${file} is not as it was written`) },
  ]);
  writeFileSync(path, whole);
  expect(await fleet.run(bert, 'archive', request)).toMatchObject({ code: 0 });
  expect((await recorded(anna)).archive).toMatchObject({ actor: 'anna@desk', removed: true });
  const left = fleet.engines.flatMap(({ containers, volumes }) => [...containers, ...volumes.keys()]);
  expect(left.filter((each) => !String(each).includes('-lock'))).toEqual([]);
});
