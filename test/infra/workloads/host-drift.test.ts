import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostDrift } from '../../../infra/workloads/container/host-drift.ts';
import { host, placed, record } from '../../pipelines/model/values.ts';
import { answeringEngine, type AnsweringEngine } from '../../support/answering-engine.ts';

const name = 'web-1.0.0';
const labels = { 'lockage.app': 'shop', 'lockage.environment': 'prod' };
const network = { Name: 'shop-prod', Scope: 'local', Labels: labels };
let made: AnsweringEngine;

beforeEach(async () => {
  made = await answeringEngine({
    '/info': { ID: 'A' },
    '/containers/json': [],
    '/volumes': { Volumes: null },
    '/networks/shop-prod': network,
  });
});

afterEach(() => made.close());

async function membersFound(): Promise<string[]> {
  const look = { app: 'shop', environment: 'prod', signal: new AbortController().signal };
  const recorded = { record: record([], [placed(name)]), standing: { edges: [], accessories: [] } };
  const found = await hostDrift(made.engine, host('prod-1'), { ...look, ...recorded });
  return found.map(({ what, member }) => `${what} ${member}`);
}

const ended = { Status: 'dead', StartedAt: '', FinishedAt: '2026-01-02T12:00:00Z', ExitCode: 1, OOMKilled: false };
const details = {
  ...{ Id: '0123456789ab', Name: `/${name}`, Image: 'sha256:1', State: ended, RestartCount: 0, Mounts: [] },
  Config: { Labels: labels },
  HostConfig: {},
  NetworkSettings: { Networks: {} },
};

test('a container that its engine failed to remove is named, and hides nothing else', async () => {
  made.answers[`/containers/${name}/json`] = details;
  made.answers[`/containers/${name}/changes`] = 500;
  made.answers['/networks/shop-prod'] = undefined;
  expect(await membersFound()).toEqual(expect.arrayContaining([`${name} state`, 'shop-prod network']));
});

test('files of a container that runs are never left out', async () => {
  made.answers[`/containers/${name}/json`] = { ...details, State: { ...ended, Status: 'running' } };
  made.answers[`/containers/${name}/changes`] = 500;
  await expect(membersFound()).rejects.toThrow('list what has changed');
});
