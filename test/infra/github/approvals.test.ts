import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GitHubApprovals } from '../../../infra/github/approvals.ts';
import { openGitHub } from '../../../infra/github/client.ts';
import { release } from '../../pipelines/model/values.ts';
import { GitHubDouble, type Comment } from '../../support/github/double.ts';
import { troubles } from '../../support/github/troubles.ts';

const commit = 'a'.repeat(40);
const anna = { login: 'anna', id: 11 };
const ben = { login: 'ben', id: 12 };
const shop = { ...release('1.4.0'), commit };
const approval = `lockage approve prod ${shop.digest}`;
let github: GitHubDouble;

beforeEach(async () => {
  github = await GitHubDouble.start();
  github.tokens.add('t');
  github.pulls.set(commit, [{ number: 7, merged: true }]);
  github.permissions.set('anna', { permission: 'write', id: 11 });
  github.permissions.set('ben', { permission: 'admin', id: 12 });
});
afterEach(async () => {
  expect(github.violations).toEqual([]);
  await github.stop();
});

const find = (run?: string, deadline = 20_000, configuration?: string) => {
  const client = openGitHub({ owner: 'acme', name: 'shop', baseUrl: github.url, token: 't', deadline });
  const variables = run === undefined ? {} : { GITHUB_ACTIONS: 'true', GITHUB_RUN_ID: run };
  const approvals = new GitHubApprovals(client, { approvers: { prod: [anna] } }, variables);
  return approvals.find({ environment: 'prod', release: shop, ...(configuration ? { configuration } : {}) });
};
const comment = (changes: Partial<Comment> = {}) => {
  github.comments.set(7, [{ by: anna, body: approval, ...changes }]);
};

describe('a comment', () => {
  test('of an allowed person that names environment and digest approves', async () => {
    comment({ body: `Looks good.\r\n\r\n  ${approval}\r\n` });
    expect(await find()).toEqual([
      {
        environment: 'prod',
        digest: shop.digest,
        by: 'github:anna',
        id: 'github:11',
        at: '2026-01-02T00:00:00Z',
        source: 'https://github.example.com/acme/shop/pull/7#issuecomment-1',
      },
    ]);
  });

  test.each<[string, Partial<Comment>]>([
    ['of somebody who is not listed', { by: ben }],
    ['of another account that has the name now', { by: { login: 'anna', id: 99 } }],
    ['of the account under another name', { by: { login: 'mallory', id: 11 } }],
    ['of an app', { by: { ...anna, type: 'Bot' } }],
    ['that an app wrote in a person’s name', { viaApp: true }],
    ['that was edited afterwards', { edited: true }],
    ['for another environment', { body: approval.replace('prod', 'qa') }],
    ['of another digest', { body: `lockage approve prod sha256:${'0'.repeat(64)}` }],
    ['with more in its line', { body: `do not ${approval}` }],
    ['that only quotes one', { body: `> ${approval}` }],
    ['in another spelling', { body: approval.toUpperCase() }],
  ])('%s does not', async (_what, changes) => {
    comment(changes);
    expect(await find()).toEqual([]);
  });

  test('approves one configuration, where one is asked for', async () => {
    const [now, before] = ['1'.repeat(64), '2'.repeat(64)];
    comment();
    expect(await find(undefined, 20_000, now)).toEqual([]);
    comment({ body: `${approval} configuration ${now}` });
    expect(await find(undefined, 20_000, now)).toHaveLength(1);
    expect(await find(undefined, 20_000, before)).toEqual([]);
  });

  test('on a pull request that was not merged does not', async () => {
    github.pulls.set(commit, [{ number: 7, merged: false }]);
    comment();
    expect(await find()).toEqual([]);
  });

  test.each<[string, () => void]>([
    ['may only read by now', () => github.permissions.set('anna', { permission: 'read', id: 11 })],
    ['is no collaborator any more', () => github.permissions.delete('anna')],
    ['gave the name up to somebody', () => github.permissions.set('anna', { permission: 'admin', id: 99 })],
  ])('of a person who %s does not', async (_what, change) => {
    comment();
    change();
    expect(await find()).toEqual([]);
  });

  test('is found behind hundreds of others', async () => {
    const talk = Array.from({ length: 230 }, () => ({ by: ben, body: 'me too' }));
    github.comments.set(7, [...talk, { by: anna, body: approval }]);
    expect(await find()).toHaveLength(1);
    expect(github.requests.filter((each) => each.includes('/comments'))).toHaveLength(3);
  });
});

test.each<[string, object]>([
  ['started the run', { actor: anna }],
  ['started it once more', { actor: ben, again: anna }],
])('an approval of a person who %s is of who promotes', async (_what, starter) => {
  const reviews = [{ by: anna, state: 'approved', environment: 'prod' }];
  github.runs.set(5, { head_sha: commit, reviews, ...starter });
  comment();
  expect(await find('5')).toMatchObject([{ isPromoter: true }, { isPromoter: true }]);
  github.runs.set(5, { head_sha: commit, reviews, actor: ben });
  for (const each of await find('5')) expect(each.isPromoter).toBeUndefined();
});

describe('a review of the run', () => {
  const review = { by: anna, state: 'approved', environment: 'prod' };
  const run = (changes: Partial<typeof review> = {}, head_sha = commit) =>
    github.runs.set(5, { head_sha, reviews: [{ ...review, ...changes }] });

  test('by an allowed person approves the release of its commit', async () => {
    run();
    expect(await find('5')).toMatchObject([{ by: 'github:anna', digest: shop.digest }]);
    expect(await find()).toEqual([]);
  });

  test.each<[string, Partial<typeof review>, string?]>([
    ['of another commit', {}, 'b'.repeat(40)],
    ['that says no', { state: 'rejected' }],
    ['for another environment', { environment: 'qa' }],
    ['by somebody who is not listed', { by: ben }],
  ])('%s does not', async (_what, changes, head) => {
    run(changes, head);
    expect(await find('5')).toEqual([]);
  });
});

test('a run without a number is an error, and no approval', () => {
  expect(() => find('7; curl')).toThrow('GITHUB_RUN_ID is no number of a run');
});

test.each([
  ['away', troubles.cut()],
  ['silent', troubles.silence()],
  ['in trouble', troubles.html(502)],
])('a GitHub that is %s approves nothing, and says so', async (_what, trouble) => {
  comment();
  github.trouble = () => trouble;
  await expect(find(undefined, 3000)).rejects.toThrow(/^GitHub /);
});
