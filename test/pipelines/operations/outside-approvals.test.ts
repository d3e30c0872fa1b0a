import { expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { ExternalApproval } from '../../../pipelines/model/evidence/external-approval.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import type { GitHub } from '../../../pipelines/model/integrations.ts';
import { why } from '../../../pipelines/operations/why.ts';
import { ownedKey } from '../model/evidence/keys.ts';
import { MemoryWorld } from './memory-world.ts';
import { errorOf, everywhere, onHosts } from './situations.ts';

const hour = 3_600_000;
const anna = ownedKey('anna', { signs: ['approval'] });
const robot = ownedKey('robot', { signs: ['promotion'] });
const ben = { login: 'ben', id: 7 };
const toProd = { environment: 'prod', version: '1.0.0' };
const rule = { count: 2, from: ['anna', 'github:ben'], within: 24 * hour };
const github: GitHub = {
  owner: 'acme',
  name: 'shop',
  baseUrl: 'https://api.github.com',
  urls: {},
  releases: false,
  approvers: { prod: [ben] },
};

/** 1.0.0 waits before prod, which wants the approval of anna, who has given it, and of ben on GitHub. */
async function world(changes: Partial<ExternalApproval> = {}, approvals: Environment['approvals'] = rule) {
  const made = new MemoryWorld([onHosts({ ...(approvals ? { approvals } : {}) })]);
  made.keys = [anna.key];
  made.github = github;
  await made.perform('release', { version: '1.0.0' });
  made.signer = anna.signer;
  await made.perform('approve', { ...toProd, decision: 'approved' });
  made.approvals = {
    find: async ({ environment, release }) => [
      {
        ...{ environment, digest: release.digest, by: 'github:ben', id: 'github:7', source: 'a comment' },
        at: new Date(made.context().now()).toISOString(),
        ...changes,
      },
    ],
  };
  return made;
}

async function refusal(made: MemoryWorld, request = toProd): Promise<string> {
  const error = await errorOf(made, 'promote', request);
  return error instanceof LockageError ? [error.message, ...error.details].join(' | ') : 'no refusal';
}

test('an approval on GitHub counts beside one by a key', async () => {
  const made = await world();
  const { gates } = await why(made.context(), toProd);
  expect(gates.find(({ gate }) => gate === 'approvals')).toMatchObject({ met: true, by: 'anna, github:ben' });
  await made.perform('promote', toProd);
  expect(made.place().serves()).toEqual(everywhere('1.0.0'));
});

test.each<[string, Partial<ExternalApproval>]>([
  ['another image', { digest: `sha256:${'9'.repeat(64)}` }],
  ['another environment', { environment: 'qa' }],
  ['somebody else with that name', { id: 'github:666' }],
  ['somebody whom nobody named', { by: 'github:mallory' }],
  ['long ago', { at: '2020-01-01T00:00:00Z' }],
  ['a time to come', { at: '2199-01-01T00:00:00Z' }],
  ['no time', { at: 'soon' }],
])('one of %s counts for nothing', async (_, changes) => {
  expect(await refusal(await world(changes))).toContain('1 approvals (anna), and 2 of anna, github:ben are wanted');
});

test('one of who started what promotes does not count where the promoter is not to approve', async () => {
  const started = { isPromoter: true } as const;
  const made = await world(started, { ...rule, not: ['promoter'] });
  made.keys = [anna.key, robot.key];
  made.signer = anna.signer;
  await made.perform('approve', { ...toProd, decision: 'approved' });
  made.signer = robot.signer;
  expect(await refusal(made)).toContain('1 approvals (anna), and 2 of anna, github:ben are wanted');
  await (await world(started)).perform('promote', toProd);
});

test('one whose time is a minute later than the clock here counts', async () => {
  const made = await world();
  const { find } = made.approvals ?? { find: async () => [] };
  const later = (at: string) => new Date(Date.parse(at) + 60_000).toISOString();
  made.approvals = {
    find: async (question) => (await find(question)).map((each) => ({ ...each, at: later(each.at) })),
  };
  await made.perform('promote', toProd);
});

test('one person who said it twice is one', async () => {
  const made = await world({}, { ...rule, count: 3 });
  const { find } = made.approvals ?? { find: async () => [] };
  made.approvals = { find: async (question) => [...(await find(question)), ...(await find(question))] };
  expect(await refusal(made)).toContain('2 approvals (anna, github:ben), and 3');
});

test('a GitHub that is away lets nothing in, is named, and blocks no rollback', async () => {
  const made = await world();
  await made.perform('promote', toProd);
  made.tree = { ...made.tree, commit: 'b'.repeat(40) };
  await made.perform('release', { version: '2.0.0' });
  await made.perform('approve', { environment: 'prod', version: '2.0.0', decision: 'approved' });
  await made.perform('promote', { environment: 'prod', version: '2.0.0' });
  made.approvals = { find: () => Promise.reject(new LockageError('GitHub cannot be reached')) };
  expect(await refusal(made)).toContain('GitHub was not asked: GitHub cannot be reached');
  await made.perform('rollback', { environment: 'prod', startedAt: 0 });
  expect(made.place().serves()).toEqual(everywhere('1.0.0'));
});

test.each<[string, Partial<GitHub>]>([
  ['another server', { baseUrl: 'https://github.mallory.example/api/v3' }],
  ['another repository', { name: 'fork' }],
  ['another person with that name', { approvers: { prod: [{ ...ben, id: 666 }] } }],
])('who has GitHub asked otherwise in the change that is released, by %s, is asked as before', async (_, changes) => {
  const made = await world();
  await made.perform('promote', toProd);
  made.tree = { ...made.tree, commit: 'b'.repeat(40) };
  await made.perform('release', { version: '2.0.0' });
  made.github = { ...github, ...changes };
  const second = { environment: 'prod', version: '2.0.0' };
  await made.perform('approve', { ...second, decision: 'approved' });
  const { find } = made.approvals ?? { find: async () => [] };
  made.approvals = { find: async (asked) => (await find(asked)).map((each) => ({ ...each, id: 'github:666' })) };
  if (!('approvers' in changes)) made.approvals = { find };
  expect(await refusal(made, second)).toMatch(
    /the policy asks for less than that of revision 1 \(others are asked on GitHub\).*1 approvals \(anna\)/,
  );
});
