import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { exchange } from '../../../infra/registry/http.ts';

const servers: Server[] = [];
const never = new AbortController().signal;

/** A server that answers by path: `location` for a redirect, else the request's Authorization header. */
async function serve(redirects: Readonly<Record<string, string>>, onRequest?: (request: IncomingMessage) => void) {
  const server = createServer((request, response) => {
    onRequest?.(request);
    const location = redirects[request.url ?? ''];
    if (location !== undefined) response.writeHead(307, { location }).end();
    else response.writeHead(200, { 'X-Path': request.url }).end(request.headers.authorization ?? 'nobody');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

it('follows redirects, with credentials only to the server they are for', async () => {
  const storage = await serve({});
  const registry = await serve({ '/here': '/there', '/away': `${storage.href}blob` });
  const request = { method: 'GET', headers: { Authorization: 'Basic abc' } };
  const here = await exchange(new URL('here', registry), request, never);
  expect([here.status, here.header('x-path'), here.body.toString()]).toEqual([200, '/there', 'Basic abc']);
  const away = await exchange(new URL('away', registry), request, never);
  expect([away.status, away.header('x-path'), away.body.toString()]).toEqual([200, '/blob', 'nobody']);
});

it('gives a redirect that leads round in a circle as it is', async () => {
  let asked = 0;
  const server = await serve({ '/': '/' }, () => (asked += 1));
  expect((await exchange(server, { method: 'GET' }, never)).status).toBe(307);
  expect(asked).toBe(6);
});

it('ends with the signal', async () => {
  const server = createServer(() => undefined);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await expect(exchange(url, { method: 'GET' }, AbortSignal.timeout(50))).rejects.toThrow();
});
