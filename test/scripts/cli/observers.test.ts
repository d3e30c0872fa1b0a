import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Project } from '../../../pipelines/model/environment.ts';
import type { Integrations } from '../../../pipelines/model/integrations.ts';
import type { OperationEnd } from '../../../pipelines/operations/observers.ts';
import { CommandObservers } from '../../../scripts/cli/observers.ts';
import { Redactor } from '../../../scripts/tools/redactor.ts';
import { environment, release } from '../../pipelines/model/values.ts';
import { GitHubDouble } from '../../support/github/double.ts';
import { troubles } from '../../support/github/troubles.ts';

const commit = 'a'.repeat(40);
const facts = { operation: 'promote', environment: 'prod', version: '1.4.0' };
const shop = { ...release('1.4.0'), commit };
const done: OperationEnd = { ...facts, outcome: 'done', release: shop, revision: 3, duration: 10 };

let root: string;
let github: GitHubDouble;
let server: Server;
let heard: string[];
let said: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'observers-'));
  await mkdir(join(root, 'hooks'));
  [heard, said] = [[], []];
  github = await GitHubDouble.start();
  github.tokens.add('ghs_canary');
  github.commits = [commit];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      heard.push(body);
      response.end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  expect(github.violations).toEqual([]);
  await github.stop();
  server.closeAllConnections();
  server.close();
  await rm(root, { recursive: true });
});

const hook = async (name: string, script: string) => {
  await writeFile(join(root, 'hooks', name), `#!/bin/sh\n${script}\n`);
  await chmod(join(root, 'hooks', name), 0o755);
};
const told = () => readFile(join(root, 'told'), 'utf8').catch(() => '');
const webhook = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

function observers(changes: Partial<Integrations> = {}, env: NodeJS.ProcessEnv = {}, skipHooks = false) {
  const project: Project = {
    ...{ app: 'shop', root, backend: 'file:///s', repository: 'r/shop', edgeImage: 'caddy:2', insecureRegistries: [] },
    build: { context: '.', dockerfile: 'Dockerfile', args: {} },
    environments: [environment({ name: 'prod' })],
  };
  const redactor = new Redactor(['hunter2-of-prod']);
  const say = (line: string) => void said.push(redactor.redact(line));
  const variables = { PATH: process.env['PATH'], GITHUB_TOKEN: 'ghs_canary', ...env };
  const terminal = { note: say, detail: say, step: () => undefined };
  const { signal } = new AbortController();
  const notes = async () => '- a change';
  const integrations = { hooks: { timeout: 10_000 }, notifications: [], ...changes };
  return new CommandObservers(
    { project, actor: 'anna@desk', env: variables, redactor, terminal, signal, skipHooks, notes },
    integrations,
  );
}

const onGitHub = (): NonNullable<Integrations['github']> => ({
  ...{ owner: 'acme', name: 'shop', baseUrl: github.url, urls: {}, releases: true, approvers: {} },
});

describe('hooks', () => {
  test('run at their points, and the one after changes nothing when it fails', async () => {
    for (const name of ['pre-connect', 'pre-deploy', 'post-deploy']) {
      await hook(
        name,
        `echo "$LOCKAGE_HOOK $LOCKAGE_OUTCOME" >> told; echo hunter2-of-prod; ${name[1] === 'o' ? 'exit 9' : ''}`,
      );
    }
    const all = observers();
    await all.begin(facts);
    await all.reach('pre-deploy', { release: shop });
    await all.end(done);
    await all.settled();
    expect(await told()).toBe('pre-connect \npre-deploy \npost-deploy done\n');
    expect(said).toContain('hooks/post-deploy ended with 9');
    expect(said.join()).not.toContain('hunter2');
  });

  test('are left out where they are to be', async () => {
    await hook('pre-connect', 'echo ran >> told; exit 1');
    await hook('pre-conect', '');
    const none = observers({}, {}, true);
    await none.begin(facts);
    await none.reach('pre-deploy', {});
    await none.end(done);
    await none.settled();
    expect(await told()).toBe('');
    await expect(observers().begin(facts)).rejects.toThrow('there are hooks that would never run');
  });

  test('have nothing to do with operations that bring nothing in', async () => {
    await hook('pre-connect', 'exit 1');
    await hook('post-deploy', 'echo ran >> told');
    const all = observers();
    await all.begin({ operation: 'cordon', environment: 'prod' });
    await all.end({ operation: 'cordon', environment: 'prod', outcome: 'done', duration: 1 });
    await all.end({ ...done, outcome: 'rolled back', message: 'no' });
    await all.end({ ...done, outcome: 'unchanged' });
    await all.settled();
    expect(await told()).toBe('');
  });
});

describe('notifications', () => {
  const json = { format: 'json', on: ['promoted', 'failed'] } as const;

  test('go to whom the event and the environment concern, without a secret', async () => {
    const { on } = json;
    const all = observers(
      {
        notifications: [
          { ...json, url: webhook() },
          { url: { env: 'CHAT' }, format: 'slack', on, environments: ['prod'] },
          { ...json, url: webhook(), environments: ['qa'] },
          { ...json, url: webhook(), on: ['refused'] },
        ],
      },
      { CHAT: `${webhook()}T0/canary-of-chat` },
    );
    await all.begin(facts);
    await all.end({ ...done, outcome: 'broken', message: 'the password hunter2-of-prod is wrong' });
    await all.settled();
    expect(heard).toHaveLength(2);
    expect(heard.join()).not.toContain('hunter2');
    expect(
      heard.map((body) => Object.keys(JSON.parse(body) as object)[0] ?? '').toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(['event', 'text']);
    expect(said).toEqual([]);
  });

  test('that cannot be sent are one line each', async () => {
    const all = observers({ notifications: [{ ...json, url: { env: 'NO_SUCH' } }] });
    await all.end(done);
    await all.settled();
    expect(said).toEqual(['notification 1 of lockage.yaml: a secret cannot be read']);
  });
});

describe('GitHub', () => {
  test('hears how a promotion begins, without being waited for, and how it ends', async () => {
    github.trouble = (_name, nth) => (nth === 1 ? troubles.slow(1500) : undefined);
    const all = observers(
      { github: onGitHub() },
      { GITHUB_ACTIONS: 'true', GITHUB_SERVER_URL: 'https://g', GITHUB_REPOSITORY: 'a/b', GITHUB_RUN_ID: '7' },
    );
    await all.begin(facts);
    const began = performance.now();
    await all.reach('pre-deploy', { release: shop });
    expect(performance.now() - began).toBeLessThan(1000);
    await all.end(done);
    await all.settled();
    expect(github.states('prod')).toEqual(['success']);
    expect(github.deployments[0]?.states[0]).toMatchObject({ log_url: 'https://g/a/b/actions/runs/7' });
    expect(github.deployments[0]).toMatchObject({ production_environment: true });
    expect(said).toEqual([]);
  });

  test('hears of two operations of a command apart, also where it is slow to answer to the first', async () => {
    github.trouble = (name, nth) => (name.endsWith('/deployments') && nth === 1 ? troubles.slow(1500) : undefined);
    const all = observers({ github: onGitHub() });
    const second = { ...shop, version: '1.5.0' };
    await all.begin(facts);
    await all.reach('pre-deploy', { release: shop });
    await all.end(done);
    await all.begin({ ...facts, version: '1.5.0' });
    await all.reach('pre-deploy', { release: second });
    await expect.poll(() => github.states('prod')).toContain('success');
    await all.end({ ...done, version: '1.5.0', release: second });
    await all.settled();
    expect(github.deployments).toHaveLength(2);
    expect(github.states('prod')).not.toContain('in_progress');
    expect(said).toEqual([]);
  });

  test('hears nothing of an environment that is none of the project’s', async () => {
    const all = observers({ github: onGitHub() });
    await all.end({ ...done, environment: 'prod-on-my-laptop' });
    await all.settled();
    expect(github.requests).toEqual([]);
  });

  test('gets the page of a release', async () => {
    const all = observers({ github: onGitHub() });
    await all.begin({ operation: 'release', version: '1.4.0' });
    await all.end({ operation: 'release', outcome: 'done', release: shop, duration: 1 });
    await all.settled();
    expect(github.releases).toMatchObject([{ tag_name: 'v1.4.0', body: expect.stringContaining('- a change') }]);
  });

  test.each<[string, () => unknown, NodeJS.ProcessEnv, RegExp]>([
    ['without a token', () => undefined, { GITHUB_TOKEN: undefined }, /^GitHub was not told: a secret cannot be read$/],
    ['with a wrong one', () => undefined, { GITHUB_TOKEN: 'ghs_wrong' }, /GitHub answered 401: Bad credentials/],
    ['away', () => github.stop(), {}, /^GitHub was not told: GitHub cannot be reached/],
  ])('%s is one line, and nobody fails', async (_what, prepare, env, line) => {
    const all = observers({ github: onGitHub() }, env);
    await prepare();
    await all.end({ ...done, operation: 'rollback' });
    await all.settled();
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(line);
  });
});
