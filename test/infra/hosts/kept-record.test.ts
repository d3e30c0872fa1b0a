import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connections } from '../../../infra/docker/connections.ts';
import { keptRecords } from '../../../infra/hosts/kept-record.ts';
import { hostWith } from '../../pipelines/model/values.ts';

let folder: string;
let server: Server;
let connections: Connections;
let edge: 'absent' | 'stopped' | 'stopped, never used' | 'broken';

const version = { ApiVersion: '1.43', MinAPIVersion: '1.24', Version: '24.0.7', Os: 'linux', Arch: 'amd64' };
const stat = (linkTarget: string) => Buffer.from(JSON.stringify({ name: 'fence', linkTarget })).toString('base64');

/** An engine as far as its edge is asked. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-kept-'));
  connections = new Connections({ stateDir: folder });
  server = createServer(({ url = '', method }, response) => {
    const answer = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
    if (url.endsWith('/version')) return void answer(200, version);
    if (url.includes('/containers/json')) return void answer(200, []);
    if (edge === 'absent') return void answer(404, { message: 'No such container: shop-prod-edge' });
    if (method === 'HEAD' && url.includes('/archive')) {
      if (edge === 'broken') return void response.writeHead(500).end();
      if (edge !== 'stopped') return void response.writeHead(404).end();
      return void response.setHeader('X-Docker-Container-Path-Stat', stat('/live/2 x 2')).writeHead(200).end();
    }
    answer(409, { message: 'container shop-prod-edge is not running' });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'docker.sock'), resolve));
});

afterEach(async () => {
  await connections.close();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ['absent', undefined],
  ['stopped, never used', undefined],
  ['stopped', true],
  ['broken', true],
] as const)('a host whose edge is %s may keep a record that could not be read: %s', async (how, unread) => {
  edge = how;
  const host = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
  const [kept] = await keptRecords(connections, { app: 'shop', environment: 'prod' }, [host]);
  expect([kept?.error, kept?.noCopy]).toEqual([undefined, 'no edge proxy of it runs there']);
  expect(kept?.unread).toBe(unread);
});
