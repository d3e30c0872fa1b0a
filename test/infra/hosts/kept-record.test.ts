import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connections } from '../../../infra/docker/connections.ts';
import { tarArchive } from '../../../infra/docker/api/tar.ts';
import { keptRecords } from '../../../infra/hosts/kept-record.ts';
import { textOfCopy, type RecordCopy } from '../../../pipelines/model/record-copy.ts';
import { hostWith, record, revision } from '../../pipelines/model/values.ts';

let folder: string;
let server: Server;
let connections: Connections;
let edge: 'absent' | 'stopped' | 'stopped, never used' | 'stopped, spoilt' | 'broken';

const { basis: _, ...recorded } = record([revision(2, '1.0.0')]);
const copy: RecordCopy = { app: 'shop', environment: 'prod', operation: 'op', record: recorded };
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
    if (url.includes('/archive')) {
      if (edge === 'broken') return void answer(500, { message: 'broken' });
      if (edge === 'stopped, never used') return void answer(404, { message: 'no such file' });
      if (method === 'HEAD')
        return void response.setHeader('X-Docker-Container-Path-Stat', stat('/live/2 x 2')).writeHead(200).end();
      const content = edge === 'stopped' ? gzipSync(textOfCopy(copy)).toString('base64') : 'not gzip';
      return void response.writeHead(200).end(tarArchive([{ path: 'record', mode: 0o644, content }]));
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
  ['absent', 'it keeps no copy of the record', undefined],
  ['stopped, never used', 'it keeps no copy of the record', undefined],
  ['stopped', undefined, undefined],
  ['stopped, spoilt', 'prod-1: its copy of the record is spoilt', true],
  ['broken', expect.stringContaining('cannot read the link /live/fence'), true],
] as const)('a host whose edge is %s: %s', async (how, noCopy, unread) => {
  edge = how;
  const host = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
  const [kept] = await keptRecords(connections, { app: 'shop', environment: 'prod' }, [host]);
  expect(kept?.error).toBeUndefined();
  expect(kept?.noCopy).toEqual(noCopy);
  expect(kept?.unread).toBe(unread);
  expect(kept?.copy?.environment).toBe(how === 'stopped' ? 'prod' : undefined);
});
