import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { CopyPool } from '../../../infra/databases/copy-pool.ts';
import { CopyServer } from '../../../infra/databases/copy-server.ts';
import type { CopySource, Fork } from '../../../infra/databases/copies.ts';
import { takeDatabase, withDatabase, workerDatabaseUrl } from '../../../scripts/testing/database.ts';

/** Copies that are only counted: what a pool and its server do with them needs no database. */
class Counted implements CopySource {
  made = 0;
  failures = 0;
  readonly there = new Set<string>();

  async make(): Promise<Fork> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('the disk is full');
    }
    const name = `copy-${(this.made += 1)}`;
    this.there.add(name);
    return { name, host: '127.0.0.1', port: 5432, user: 'shop', password: 'secret', database: name };
  }

  async drop({ name }: Fork): Promise<void> {
    this.there.delete(name);
  }

  close(): void {}
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  delete process.env['LOCKAGE_DATABASES'];
  for (const end of ends.splice(0)) await end();
});

async function started(size: number) {
  const source = new Counted();
  const pool = new CopyPool(source, { first: size, spare: size, atOnce: 2 }, new AbortController().signal);
  const server = await CopyServer.start(pool, 'postgres');
  ends.push(async () => {
    await server.close();
    await pool.close();
  });
  process.env['LOCKAGE_DATABASES'] = server.url;
  return { source, pool, server };
}

async function ask(url: string, method: string): Promise<{ status: number | undefined; response: IncomingMessage }> {
  const asked = request(url, { method, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, response };
}

test('each test gets a copy that nobody had, and it is gone when the test is', async () => {
  const { source, pool } = await started(2);
  await pool.fill();
  const names = await Promise.all(Array.from({ length: 8 }, () => withDatabase(async ({ database }) => database)));
  expect(new Set(names).size).toBe(8);
  await expect.poll(() => [...source.there].filter((name) => names.includes(name))).toEqual([]);
});

test('the pool is filled again while tests run', async () => {
  const { source, pool } = await started(3);
  await pool.fill();
  const taken = await takeDatabase();
  await expect.poll(() => source.there.size).toBe(4);
  expect(taken.url).toBe(`postgres://shop:secret@127.0.0.1:5432/${taken.database}`);
  taken.release();
  await expect.poll(() => source.there.size).toBe(3);
});

test('a copy that is to be kept stays until it is given back', async () => {
  const { source, server } = await started(0);
  const { response } = await ask(`${server.url}?keep`, 'POST');
  const content = JSON.parse(String((await response.toArray())[0])) as { id: string; database: string };
  expect(source.there.has(content.database)).toBe(true);
  expect((await ask(`${server.url}/${content.id}`, 'DELETE')).status).toBe(200);
  await expect.poll(() => source.there.size).toBe(0);
  expect((await ask(`${server.url}/${content.id}`, 'DELETE')).status).toBe(404);
});

test('one that fails is made again, and who waits is told when none can be made', async () => {
  const { source } = await started(0);
  source.failures = 2;
  expect((await takeDatabase()).database).toBe('copy-1');
  source.failures = 100;
  await expect(takeDatabase()).rejects.toThrow('no database: the disk is full');
});

test('who does not know the path gets nothing', async () => {
  const { source, server } = await started(0);
  const { origin } = new URL(server.url);
  for (const path of ['/', '/databases', '/x/databases', new URL(server.url).pathname.slice(0, -1)]) {
    expect((await ask(`${origin}${path}`, 'POST')).status).toBe(404);
  }
  expect((await ask(server.url, 'GET')).status).toBe(405);
  expect(source.made).toBe(0);
});

test('a test that nothing runs with databases is told what to do', () => {
  expect(() => takeDatabase()).toThrow('no `lockage test` runs this');
});

test.each([
  [{ VITEST_POOL_ID: '2' }, 'two'],
  [{ JEST_WORKER_ID: '1' }, 'one'],
  [{ PYTEST_XDIST_WORKER: 'gw1' }, 'two'],
  [{}, 'one'],
])('the worker of %j has database %s', (variables, url) => {
  const urls = { LOCKAGE_DATABASE_URL_1: 'one', LOCKAGE_DATABASE_URL_2: 'two' };
  expect(workerDatabaseUrl({ ...urls, ...variables })).toBe(url);
});

test('a worker without one is told so', () => {
  expect(() => workerDatabaseUrl({ VITEST_POOL_ID: '3' })).toThrow('there is no LOCKAGE_DATABASE_URL_3');
});
