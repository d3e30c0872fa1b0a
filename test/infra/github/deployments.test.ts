import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openGitHub } from '../../../infra/github/client.ts';
import { beginDeployment, endDeployment, type DeploymentTeller } from '../../../infra/github/deployments.ts';
import type { OperationEnd } from '../../../pipelines/operations/observers.ts';
import { release } from '../../pipelines/model/values.ts';
import { GitHubDouble } from '../../support/github/double.ts';

const commit = 'a'.repeat(40);
let github: GitHubDouble;

beforeEach(async () => {
  github = await GitHubDouble.start();
  github.tokens.add('t');
  github.commits = [commit];
});
afterEach(async () => {
  expect(github.violations).toEqual([]);
  await github.stop();
});

const open = () => openGitHub({ owner: 'acme', name: 'shop', baseUrl: github.url, token: 't', deadline: 30_000 });
const teller: DeploymentTeller = {
  settings: { urls: { prod: 'https://shop.example.com' } },
  app: 'shop',
  logUrl: 'https://github.example.com/acme/shop/actions/runs/7',
  lastEnvironments: new Set(['prod']),
};
const facts = { operation: 'promote', environment: 'prod', release: { ...release('1.4.0'), commit } };
const done: OperationEnd = { ...facts, outcome: 'done', revision: 12, duration: 1000 };

/** A deployment of before, which shows as active. */
const before = () => {
  const one = { id: 1, sha: commit, environment: 'prod', task: 'deploy', production_environment: true, payload: {} };
  github.deployments.push({ ...one, states: [{ state: 'success' }] });
};
const promote = async (end: Partial<OperationEnd> = {}) => {
  const client = open();
  const id = await client.within(() => beginDeployment(client, facts, teller));
  await client.within(() => endDeployment(client, { ...done, ...end }, teller, id));
};
const endOnly = (end: Partial<OperationEnd> = {}) => {
  const client = open();
  return client.within(() => endDeployment(client, { ...done, ...end }, teller, undefined));
};

describe('a promotion', () => {
  test('is a deployment that is on its way, and then there; the one before is inactive', async () => {
    before();
    await promote({ revision: 13 });
    expect(github.states('prod')).toEqual(['success', 'inactive']);
    expect(github.deployments[1]).toMatchObject({
      ...{ sha: commit, environment: 'prod', task: 'deploy', production_environment: true },
      payload: { app: 'shop', version: '1.4.0', digest: release('1.4.0').digest },
    });
    expect(github.deployments[1]?.states).toMatchObject([
      {
        state: 'success',
        description: '1.4.0 serves, revision 13',
        environment_url: 'https://shop.example.com',
        log_url: teller.logUrl,
      },
      { state: 'in_progress' },
    ]);
    expect(github.statuses.at(-1)).toMatchObject({
      ...{ sha: commit, state: 'success', context: 'lockage/prod', description: '1.4.0 serves in prod' },
      target_url: teller.logUrl,
    });
  });

  test.each<[Partial<OperationEnd>, string, string]>([
    [{}, 'success', '1.4.0 serves, revision 12'],
    [{ outcome: 'rolled back', message: 'never healthy' }, 'failure', 'never healthy'],
  ])('by breaking the glass says so: %j', async (changes, state, said) => {
    const glass = {
      breakGlass: 'orders are lost',
      gates: [
        { gate: 'hold', met: true, text: 'prod is not on hold' },
        { gate: 'soak', from: 'qa', met: false, passed: true, text: '1 h is wanted' },
      ],
    } as const;
    await promote({ ...glass, ...changes });
    const [last] = github.deployments.at(-1)?.states ?? [];
    expect(last).toMatchObject({ state, description: `BROKE THE GLASS of soak qa: ${said} (orders are lost)` });
    expect(github.statuses.at(-1)?.['description']).toMatch(/^BROKE THE GLASS of soak qa: .* \(orders are lost\)$/);
  });

  test.each<[OperationEnd['outcome'], string, string]>([
    ['rolled back', 'failure', 'failure'],
    ['broken', 'error', 'error'],
    ['partial', 'error', 'error'],
    ['interrupted', 'failure', 'error'],
  ])('that ends %s leaves the one before active', async (outcome, state, status) => {
    before();
    await promote({ outcome, message: 'never healthy: '.repeat(20) });
    expect(github.states('prod')).toEqual([state, 'success']);
    expect(github.statuses.at(-1)).toMatchObject({ state: status });
    expect(String(github.statuses.at(-1)?.['description'])).toHaveLength(140);
  });

  test('that gates refuse shows which, and is no fault of the commit', async () => {
    await endOnly({
      outcome: 'refused',
      message: 'release 1.4.0 may not enter prod',
      details: ['soak: 40 minutes to go', 'on hold since monday'],
    });
    expect(github.deployments).toEqual([]);
    expect(github.statuses).toMatchObject([
      {
        state: 'pending',
        context: 'lockage/prod',
        description: 'release 1.4.0 may not enter prod; soak: 40 minutes to go; on hold since monday',
      },
    ]);
  });

  test.each<[string, Partial<OperationEnd>]>([
    ['is only planned', { isTrial: true, outcome: 'unchanged' }],
    ['changes nothing', { outcome: 'unchanged' }],
    ['takes a host out of service', { operation: 'cordon' }],
    ['somebody else keeps out', { outcome: 'locked', message: 'locked' }],
  ])('that %s is nobody’s business', async (_what, end) => {
    await endOnly(end);
    expect(github.requests).toEqual([]);
  });
});

test('a rollback is told once it is over, as a deployment of what serves again', async () => {
  before();
  await endOnly({ operation: 'rollback', revision: 13 });
  expect(github.states('prod')).toEqual(['success', 'inactive']);
  expect(github.deployments[1]).toMatchObject({ task: 'rollback' });
});

test.each(['destroy', 'archive'])('an environment has nothing active after %s', async (operation) => {
  before();
  await endOnly({ operation });
  expect(github.states('prod')).toEqual(['inactive']);
});

test('a release without a commit is not told, and one that GitHub does not have is said', async () => {
  const { commit: _, ...adopted } = facts.release;
  await endOnly({ release: adopted });
  expect(github.deployments).toEqual([]);
  github.commits = [];
  await expect(endOnly()).rejects.toThrow(/^GitHub answered 422: No ref found for: a+/);
});
