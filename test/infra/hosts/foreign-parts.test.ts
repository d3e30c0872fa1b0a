import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connections } from '../../../infra/docker/connections.ts';
import { ownerLabels } from '../../../infra/docker/labels.ts';
import { refuseForeignParts } from '../../../infra/hosts/foreign-parts.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { environment, hostWith } from '../../pipelines/model/values.ts';

let folder: string;
let server: Server;
/** what the engine has: `volumes/shop-prod-live` → its labels */
let parts: Map<string, Record<string, string> | null>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-parts-'));
  parts = new Map();
  server = createServer(({ url = '' }, response) => {
    const [, kind = '', name = ''] = /\/(containers|networks|volumes)\/([^/?]+)/.exec(url) ?? [];
    const Labels = parts.get(`${kind}/${name}`);
    response.statusCode = kind === '' || Labels !== undefined ? 200 : 404;
    const version = { ApiVersion: '1.43', MinAPIVersion: '1.24', Version: '24.0.7' };
    response.end(JSON.stringify({ ...version, Name: name, Labels, Config: { Labels: Labels ?? {} } }));
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'docker.sock'), resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const db = { name: 'db', image: 'postgres:17', host: 'prod-1', volumes: { data: '/data' }, env: {}, secrets: [] };
const prod: Environment = environment({ accessories: [{ ...db, memory: 256 }] });

async function check(): Promise<unknown> {
  const host = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
  const engine = await new Connections({ stateDir: folder }).engine(host);
  return refuseForeignParts(engine, 'shop', prod, host).catch((error: unknown) => error);
}

test('parts of the environment itself, and data that nobody owns, are taken', async () => {
  expect(await check()).toBeUndefined();
  const own = ownerLabels('shop', 'prod', 'edge');
  for (const name of ['containers/shop-prod-edge', 'networks/shop-prod', 'volumes/shop-prod-live'])
    parts.set(name, own);
  parts.set('volumes/shop-prod-db-data', null);
  expect(await check()).toBeUndefined();
});

test.each([
  ['containers/shop-prod-edge', 'container shop-prod-edge'],
  ['containers/shop-prod-db', 'container shop-prod-db'],
  ['networks/shop-prod', 'network shop-prod'],
  ['volumes/shop-prod-live', 'volume shop-prod-live'],
  ['volumes/shop-prod-db-data', 'volume shop-prod-db-data'],
])('%s of another environment is refused by name', async (name, told) => {
  parts.set(name, ownerLabels('shop-prod', 'db', 'accessory'));
  expect(await check()).toMatchObject({ message: `prod-1: ${told} is of db of shop-prod` });
});

test('a container of nobody is refused as well', async () => {
  parts.set('containers/shop-prod-edge', {});
  expect(await check()).toMatchObject({ message: 'prod-1: container shop-prod-edge is of nobody that is known' });
});
