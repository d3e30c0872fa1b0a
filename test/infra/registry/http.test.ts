import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSecureServer, globalAgent } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { exchange } from '../../../infra/registry/http.ts';
import { createAuthority, issueCertificate } from '../../../scripts/lab/certificates.ts';

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

it('says who answered, and follows nothing where that is refused', async () => {
  const other = await serve({});
  const server = await serve({ '/away': `${other.href}blob` });
  const away = new URL('away', server);
  expect((await exchange(away, { method: 'GET' }, never)).at.href).toBe(`${other.href}blob`);
  const refused = await exchange(away, { method: 'GET', redirects: 'refuse' }, never);
  expect([refused.status, refused.at.href]).toEqual([307, away.href]);
});

it('goes on to no server without TLS', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-http-'));
  const plain = await serve({});
  const authority = await createAuthority(join(folder, 'ca'), 'a private CA');
  const pair = await issueCertificate(authority, folder, { name: 'r', use: 'server', altNames: ['IP:127.0.0.1'] });
  const [ca, cert, key] = await Promise.all([authority.cert, pair.cert, pair.key].map((file) => readFile(file)));
  const secure = createSecureServer({ cert, key }, (_, response) =>
    response.writeHead(307, { location: plain.href }).end(),
  );
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const { ca: before } = globalAgent.options;
  Object.assign(globalAgent.options, { ca });
  try {
    const url = new URL(`https://127.0.0.1:${(secure.address() as AddressInfo).port}/`);
    await expect(exchange(url, { method: 'GET' }, never)).rejects.toThrow('redirects from https to http://127.0.0.1');
  } finally {
    Object.assign(globalAgent.options, { ca: before });
    secure.close();
    await rm(folder, { recursive: true });
  }
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
