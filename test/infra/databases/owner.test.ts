import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sweep } from '../../../infra/databases/owner.ts';
import { Engine } from '../../../infra/docker/api/client.ts';
import { markOfThis } from '../../../infra/system/process-mark.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Answer = readonly [status: number, content?: unknown];

/** Starts an engine that answers `METHOD PATH` as it is told, and every other removal with 204. */
async function started(answers: Readonly<Record<string, Answer>>) {
  const asked: string[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'lockage-owner-'));
  const server = createServer(({ method = '', url = '' }, response) => {
    const what = `${method} ${new URL(url, 'http://engine').pathname.replace(/^\/v[\d.]+/, '')}`;
    asked.push(what);
    const [status, content] = answers[what] ?? (method === 'DELETE' ? [204] : [404, { message: 'no such thing' }]);
    response.writeHead(status).end(content === undefined ? undefined : JSON.stringify(content));
  });
  const socketPath = join(folder, 'docker.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const engine = new Engine({ host: 'laptop', socketPath });
  ends.push(async () => {
    engine.close();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { engine, asked };
}

const version: Answer = [200, { ApiVersion: '1.41', Version: '20.10.24' }];

/** What a command that is gone has left: two containers, their network and a volume. */
async function left(): Promise<Record<string, Answer>> {
  // No process has such a number.
  const owner = JSON.stringify({ ...(await markOfThis()), pid: 2 ** 30 });
  const Labels = { 'lockage.owner': owner };
  return {
    'GET /version': version,
    'GET /info': [200, { SystemTime: '2024-05-01T12:00:00Z' }],
    'GET /containers/json': [200, ['a', 'b'].map((Id) => ({ Id, Names: [`/fork-${Id}`], Labels, Created: 1 }))],
    'GET /networks': [200, [{ Name: 'forks', Labels, Created: '2024-05-01T11:00:00Z' }]],
    'GET /volumes': [200, { Volumes: [{ Name: 'secrets', Labels, CreatedAt: '2024-05-01T11:00:00Z' }] }],
  };
}

test('all that a command which is gone has left is removed', async () => {
  const { engine } = await started(await left());
  expect(await sweep(engine)).toEqual({
    containers: ['fork-a', 'fork-b'],
    networks: ['forks'],
    volumes: ['secrets'],
  });
});

test('what another sweep removes at the moment is left to it', async () => {
  const { engine } = await started({
    ...(await left()),
    'DELETE /containers/a': [409, { message: 'removal of container a is already in progress' }],
    'DELETE /networks/forks': [403, { message: 'error while removing network: forks has active endpoints' }],
    'DELETE /volumes/secrets': [409, { message: 'remove secrets: volume is in use - [a]' }],
  });
  expect(await sweep(engine)).toEqual({ containers: ['fork-b'], networks: [], volumes: [] });
});

test('what is in use by nothing that goes is an error', async () => {
  const { engine } = await started({
    ...(await left()),
    'DELETE /volumes/secrets': [409, { message: 'remove secrets: volume is in use - [c]' }],
  });
  await expect(sweep(engine)).rejects.toThrow('volume is in use');
});

test('an engine on which nothing was left is asked for three lists alone', async () => {
  const nothing = { 'GET /containers/json': [200, []], 'GET /networks': [200, []], 'GET /volumes': [200, {}] } as const;
  const { engine, asked } = await started({ 'GET /version': version, ...nothing });
  await sweep(engine);
  expect(asked.filter((each) => each !== 'GET /version').sort()).toEqual(Object.keys(nothing).sort());
});
