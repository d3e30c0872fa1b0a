import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { visitLoadBalancer } from '../../../infra/machines/load-balancer/visit.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A server's port. */
async function serving(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const visit = (port: number, host?: string) => ({ port, page: { path: '/healthz', ...(host ? { host } : {}) } });

test.each([200, 204, 302])('a page that answers %i is served', async (status) => {
  const port = await serving((_, response) => void response.writeHead(status, { location: '/elsewhere' }).end());
  expect(await visitLoadBalancer('127.0.0.1', [visit(port)])).toEqual([]);
});

test.each([404, 500, 503])('one that answers %i is not', async (status) => {
  const port = await serving((_, response) => void response.writeHead(status).end());
  expect(await visitLoadBalancer('127.0.0.1', [visit(port)])).toEqual([{ port, said: `answers ${status}` }]);
});

test('a port that nobody listens on is named, and those that answer are not', async () => {
  const port = await serving((_, response) => void response.end());
  const [found, ...others] = await visitLoadBalancer('127.0.0.1', [visit(port), visit(1), { port: 2 }]);
  expect(found).toEqual({ port: 1, said: expect.stringContaining('ECONNREFUSED') });
  expect(others).toEqual([{ port: 2, said: 'connection refused' }]);
});

test('one that takes a request and says nothing is not waited for', async () => {
  const port = await serving(() => undefined);
  expect(await visitLoadBalancer('127.0.0.1', [visit(port)])).toEqual([{ port, said: 'no answer within 3 s' }]);
});

test('one that answers after a moment has the time that it is given', async () => {
  let asked = 0;
  const port = await serving((_, response) => void response.writeHead(asked++ === 0 ? 503 : 200).end());
  expect(await visitLoadBalancer('127.0.0.1', [visit(port)], { seconds: 20 })).toEqual([]);
  expect(asked).toBe(2);
});

test('is asked by the name that visitors use', async () => {
  const names: (string | undefined)[] = [];
  const port = await serving(({ headers }, response) => {
    names.push(headers.host);
    response.end();
  });
  await visitLoadBalancer('127.0.0.1', [visit(port, 'shop.example'), visit(port)]);
  expect(new Set(names)).toEqual(new Set([`127.0.0.1:${port}`, 'shop.example']));
});

test('ends with the signal, however long it may take', async () => {
  const port = await serving((_, response) => void response.writeHead(503).end());
  const stop = new AbortController();
  const asking = visitLoadBalancer('127.0.0.1', [visit(port)], { seconds: 600, signal: stop.signal });
  stop.abort();
  await expect(asking).rejects.toThrow();
});
