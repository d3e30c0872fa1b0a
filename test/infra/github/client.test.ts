import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGitHub, type GitHubAccess } from '../../../infra/github/client.ts';
import { publishRelease } from '../../../infra/github/releases.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { release } from '../../pipelines/model/values.ts';
import { GitHubDouble } from '../../support/github/double.ts';
import { troubles, type Trouble } from '../../support/github/troubles.ts';

const token = 'ghs_canary1234567890';
let github: GitHubDouble;

beforeEach(async () => {
  github = await GitHubDouble.start();
  github.tokens.add(token);
});
afterEach(() => github.stop());

const open = (changes: Partial<GitHubAccess> = {}) =>
  openGitHub({
    owner: 'acme',
    name: 'shop',
    baseUrl: changes.baseUrl ?? github.url,
    token,
    deadline: 8000,
    ...changes,
  });
const look = (client = open()) =>
  client.within(() => client.octokit.rest.repos.listDeployments({ ...client.repo, environment: 'prod' }));
const why = async (attempt: Promise<unknown>): Promise<string> => {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof LockageError)) throw new Error(`no LockageError: ${String(error)}`);
  expect(error.message).not.toContain(token);
  expect(error.message).not.toMatch(/\n|<html/);
  return error.message;
};
const always = (trouble: Trouble) => {
  github.trouble = () => trouble;
};
const once = (trouble: Trouble) => {
  github.trouble = (_name, nth) => (nth === 1 ? trouble : undefined);
};

describe('a GitHub in trouble', () => {
  test.each<[string, Trouble]>([
    ['503', troubles.error(503)],
    ['a page that says 502', troubles.html(502)],
    ['that it was asked too often', troubles.rateLimit(2)],
    ['that it was told too much, with Retry-After', troubles.abuse(1)],
  ])('that answers %s is asked once more', async (_what, trouble) => {
    once(trouble);
    expect((await look()).data).toEqual([]);
    expect(github.requests).toHaveLength(2);
    expect(github.violations).toEqual([]);
  });

  test('is waited for as long as it wants', async () => {
    once(troubles.abuse(2));
    const began = performance.now();
    await look();
    expect(performance.now() - began).toBeGreaterThan(2000);
  });

  test.each<[string, Trouble, RegExp]>([
    ['answers 500 for good', troubles.error(500), /^GitHub answered 500: Server Error$/],
    ['answers with a page', troubles.html(404), /^GitHub answered 404 \(may the token do that in this repository\?\)$/],
    ['wants more time than there is', troubles.abuse(3600), /^GitHub answered 403: You have exceeded a secondary/],
    ['lets its limit end in an hour', troubles.rateLimit(3600), /^GitHub answered 403: API rate limit exceeded/],
    ['says nothing', troubles.silence(), /^GitHub gave no answer within 3 s$/],
    ['hangs up', troubles.cut(), /^GitHub cannot be reached \(.+\)$/],
    [
      'never ends its answer',
      troubles.endless(),
      /^GitHub (cannot be reached \(the answer is too long\)|gave no answer within 3 s)$/,
    ],
    ['is another web server', troubles.html(200), /^GitHub cannot be reached \(what answers is no API of GitHub\)$/],
    ['leads elsewhere', troubles.elsewhere(), /^GitHub cannot be reached/],
  ])('that %s costs seconds, and one line', async (_what, trouble, message) => {
    always(trouble);
    const began = performance.now();
    expect(await why(look(open({ deadline: 3000 })))).toMatch(message);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('that nobody can reach is told from one that refuses', async () => {
    const { url } = github;
    await github.stop();
    expect(await why(look(open({ baseUrl: url })))).toMatch(/^GitHub cannot be reached/);
    github = await GitHubDouble.start();
    expect(await why(look())).toBe(
      'GitHub answered 401: Bad credentials (is the token of `github.token` or GITHUB_TOKEN still good?)',
    );
  });

  test('is not waited for by whoever wants to stop', async () => {
    always(troubles.silence());
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 200);
    const began = performance.now();
    await why(look(open({ signal: stop.signal, deadline: 60_000 })));
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

test('what is asked for again costs nothing while it is as before', async () => {
  const client = open();
  expect((await look(client)).data).toEqual([]);
  expect((await look(client)).data).toEqual([]);
  github.deployments.push({
    ...{ id: 1, sha: 'c1', environment: 'prod', task: 'deploy', production_environment: true, payload: {} },
    states: [],
  });
  expect((await look(client)).data).toHaveLength(1);
  expect(github.requests.map((each) => each.split(' ').at(-1))).toEqual(['200', '304', '200']);
});

describe('the page of a release', () => {
  const publish = (version: string, changes = {}, notes = '- a change\n') => {
    const client = open();
    const made = { ...release(version), commit: 'a'.repeat(40), ...changes };
    return client.within(() => publishRelease(client, made, notes));
  };

  test('has as many of its notes as GitHub takes, whole lines of them, and its image in any case', async () => {
    await publish('1.4.0', {}, `- ${'x'.repeat(97)}\n`.repeat(2000));
    const [page] = github.releases;
    const lines = String(page?.['body']).split('\n');
    expect(String(page?.['body']).length).toBeLessThanOrEqual(100_000);
    expect(lines.filter((line) => line.length === 99).length).toBeGreaterThan(900);
    expect(lines.slice(-6)).toEqual([
      expect.stringMatching(/^and 1\d{3} more$/),
      '',
      `\`${release('1.4.0').repository}@${release('1.4.0').digest}\``,
      '',
      `of commit ${'a'.repeat(40)}`,
      '',
    ]);
  });

  test('is made once, at its tag, with its notes and digest', async () => {
    await publish('1.4.0');
    await publish('1.4.0');
    expect(github.releases).toEqual([
      {
        tag_name: 'v1.4.0',
        target_commitish: 'a'.repeat(40),
        name: '1.4.0',
        body: expect.stringContaining(`- a change\n\n\`${release('1.4.0').repository}@${release('1.4.0').digest}\``),
        prerelease: false,
      },
    ]);
    await publish('1.5.0-rc.1');
    expect(github.releases[1]).toMatchObject({ prerelease: true });
    expect(github.violations).toEqual([]);
  });

  test('of another application at the same tag is told, and stays', async () => {
    await publish('1.4.0');
    const before = structuredClone(github.releases);
    await expect(publish('1.4.0', { repository: 'registry.example.com/api' })).rejects.toThrow(
      `the page at v1.4.0 is of ${release('1.4.0').repository}, another application of the same repository`,
    );
    expect(github.releases).toEqual(before);
  });

  test('is not made of what nobody committed', async () => {
    await publish('1.4.0', { dirty: true });
    expect(github.requests).toEqual([]);
  });
});
