import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { startLoad } from '../../../scripts/load/load.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

test('load keeps its rate while answers are slow', async () => {
  const url = await serve(async (_, response) => {
    await sleep(300);
    response.end('{"version":"1.0.0"}');
  });
  const load = await startLoad({ urls: [url], rate: 100, connections: 'both' });
  await sleep(1000);
  const stats = await load.stop();
  expect(stats.sent).toBeGreaterThan(80);
  expect(stats).toMatchObject({ ok: stats.sent, failed: 0, errors: {} });
  expect(stats.latency.p50).toBeGreaterThan(290);
});

test('load tells which version each url answers with, and when', async () => {
  let version = '1.0.0';
  const answer: RequestListener = (_, response) => void response.setHeader('x-version', version).end();
  const urls = [await serve(answer), await serve(answer)];
  const load = await startLoad({ urls, rate: 100, connections: 'keep-alive' });
  await load.waitUntilVersion('1.0.0');
  version = '1.1.0';
  await load.waitUntilVersion('1.1.0', urls, 5000);
  await expect(load.waitUntilVersion('2.0.0', urls, 50)).rejects.toThrow('2.0.0 was not seen everywhere');
  const { versionsSeen } = await load.stop();
  for (const url of urls) {
    const seen = versionsSeen[url] ?? {};
    expect(Object.keys(seen)).toEqual(['1.0.0', '1.1.0']);
    expect(seen['1.0.0']?.first).toBeLessThanOrEqual(seen['1.1.0']?.first ?? 0);
  }
});

test('load counts errors by kind: a status, a refused connection, a cut answer', async () => {
  const broken = await serve((_, response) => void response.writeHead(502).end());
  const cut = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
    setTimeout(() => response.destroy(), 20);
  });
  const gone = await serve(() => undefined);
  servers.pop()?.close();
  const load = await startLoad({ urls: [broken, cut, gone], rate: 60, connections: 'new' });
  await sleep(500);
  const stats = await load.stop();
  expect(stats.ok).toBe(0);
  expect(stats.failed).toBe(stats.sent);
  expect(Object.keys(stats.errors).sort()).toEqual(['ECONNREFUSED', 'cut off', 'status 502']);
  expect(stats.failures[0]?.url).toContain('http://127.0.0.1:');
});

// It forgives within a tenth of a second, for which a machine with other work may stand still.
test('load forgives a kept connection closed between two requests, and says how often', { retry: 3 }, async () => {
  // From the client's side this is the same: the connection is gone at once when it is used again.
  const used = new WeakSet<object>();
  const url = await serve((request, response) => {
    if (used.has(request.socket)) return request.socket.resetAndDestroy();
    used.add(request.socket);
    return response.end('ok');
  });
  const load = await startLoad({ urls: [url], rate: 100, connections: 'keep-alive' });
  await sleep(1000);
  const stats = await load.stop();
  expect(stats).toMatchObject({ failed: 0, ok: stats.sent });
  expect(stats.retried).toBeGreaterThan(5);
});

test('load does not forgive a server that dies with a request', async () => {
  let requests = 0;
  const url = await serve((request, response) => {
    requests += 1;
    if (requests % 10 === 0) setTimeout(() => request.socket.resetAndDestroy(), 200);
    else response.end('ok');
  });
  const load = await startLoad({ urls: [url], rate: 100, connections: 'keep-alive' });
  await sleep(1000);
  const stats = await load.stop();
  expect(stats.errors['ECONNRESET']).toBeGreaterThan(3);
  expect(stats.retried).toBe(0);
});

test('load sends long requests beside the others and lets them end', async () => {
  const url = await serve(async (request, response) => {
    if (request.url === '/slow') await sleep(2000);
    response.end();
  });
  const load = await startLoad({ urls: [url], rate: 50, connections: 'both', slow: { path: '/slow', everyMs: 200 } });
  await sleep(500);
  const stats = await load.stop();
  expect(stats.slow.sent).toBeGreaterThanOrEqual(2);
  expect(stats.slow.ok).toBe(stats.slow.sent);
  // The latency is that of the other requests.
  expect(stats.latency.p50).toBeLessThan(1900);
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
