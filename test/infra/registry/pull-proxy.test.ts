import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { proxyName, startPullProxy, type PullProxy } from '../../../infra/registry/pull-proxy.ts';

const blob = randomBytes(40 * 2 ** 20);
const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
const password = 'Basic dGVzdGVyOnMzY3JldA==';
const ends: (() => Promise<void> | void)[] = [];
let sent: number;
let seen: string[];
/** how many blobs the registry breaks off in the middle */
let breaks: number;

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A registry that demands a login, and has its blobs on another server. */
async function upstream(): Promise<string> {
  const storage = await listen(
    createServer((asked, response) => {
      seen.push(`storage ${asked.headers.authorization ?? 'nobody'}`);
      const [, from = '0'] = /bytes=(\d+)-/.exec(asked.headers.range ?? '') ?? [];
      const part = blob.subarray(Number(from));
      response.writeHead(from === '0' ? 200 : 206, { 'Content-Length': part.length, 'X-Other': 'not passed on' });
      if (asked.method === 'HEAD') response.end();
      else if (breaks-- > 0) response.write(part.subarray(0, 65_536), () => response.destroy());
      else sendSlowly(part, response);
    }),
  );
  return listen(
    createServer((asked, response) => {
      seen.push(`registry ${asked.headers.authorization ?? 'nobody'}`);
      if (asked.headers.authorization !== password) {
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="r"' }).end();
      } else if (asked.url === `/v2/team/shop/blobs/${digest}`) {
        response.writeHead(307, { Location: `http://${storage}/` }).end();
      } else response.writeHead(404).end('{"errors":[]}');
    }),
  );
}

/** As fast as it is taken. */
function sendSlowly(part: Buffer, response: ServerResponse, at = 0): void {
  for (let next = at; next < part.length; next += 65_536) {
    sent += 65_536;
    if (response.write(part.subarray(next, next + 65_536))) continue;
    response.once('drain', () => sendSlowly(part, response, next + 65_536));
    return;
  }
  response.end();
}

describe('a pull proxy', () => {
  let offered: PullProxy;
  let address: string;
  let repository: string;

  beforeEach(async () => {
    sent = 0;
    seen = [];
    breaks = 0;
    const registry = await upstream();
    const dockerConfig = await mkdtemp(join(tmpdir(), 'lockage-config-'));
    ends.push(() => rm(dockerConfig, { recursive: true, force: true }));
    const auths = { [registry]: { auth: password.replace('Basic ', '') } };
    await writeFile(join(dockerConfig, 'config.json'), JSON.stringify({ auths }));
    repository = `${registry}/team/shop`;
    offered = startPullProxy(new RegistryClient({ dockerConfig }), repository);
    address = await listen(offered.server);
  });

  afterEach(async () => {
    offered.end();
    for (const end of ends.splice(0)) await end();
  });

  function ask(
    path: string,
    init: { method?: string; headers?: Record<string, string> } = {},
  ): Promise<IncomingMessage> {
    const login = JSON.parse(Buffer.from(offered.auth, 'base64').toString()) as { username: string; password: string };
    const authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
    return new Promise((resolve, reject) => {
      const options = { ...init, headers: { authorization, ...init.headers } };
      request(`http://${address}${path}`, options, resolve).on('error', reject).end();
    });
  }

  async function bytes(response: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  const blobPath = () => `/v2/${offered.name}/blobs/${digest}`;

  it('gives a blob, or a part of it, from where the registry leads, with credentials for the registry only', async () => {
    const whole = await ask(blobPath());
    expect([whole.statusCode, whole.headers['content-length'], whole.headers['x-other']]).toEqual([
      200,
      String(blob.length),
      undefined,
    ]);
    expect((await bytes(whole)).equals(blob)).toBe(true);
    expect(seen).toEqual(['registry nobody', `registry ${password}`, 'storage nobody']);
    const part = await ask(blobPath(), { headers: { Range: 'bytes=1000-' } });
    expect([part.statusCode, (await bytes(part)).equals(blob.subarray(1000))]).toEqual([206, true]);
    expect((await ask(blobPath(), { method: 'HEAD' })).headers['content-length']).toBe(String(blob.length));
  });

  it('takes from the registry only as fast as it gives', async () => {
    const response = await ask(blobPath());
    response.pause();
    await sleep(500);
    expect(sent).toBeLessThan(blob.length / 2);
    response.destroy();
  });

  it.each([
    ['another repository', 'GET', `/v2/lockage-pull/team/other/blobs/${digest}`, 404],
    ['its own name', 'GET', `/v2/team/shop/blobs/${digest}`, 404],
    ['the repository of another registry', 'GET', `/v2/${proxyName('r.io/team/shop')}/blobs/${digest}`, 404],
    ['a tag', 'GET', '/v2/NAME/manifests/latest', 404],
    ['the list of tags', 'GET', '/v2/NAME/tags/list', 404],
    ['a way out of it', 'GET', `/v2/NAME/../other/blobs/${digest}`, 404],
    ['writing', 'POST', '/v2/NAME/blobs/uploads/', 405],
  ])('refuses %s, and asks the registry nothing', async (_what, method, path, status) => {
    const response = await ask(path.replace('NAME', offered.name), { method });
    expect([response.statusCode, seen]).toEqual([status, []]);
    response.resume();
  });

  it('refuses whoever does not know its password', async () => {
    const response = await ask(blobPath(), { headers: { authorization: password } });
    expect([response.statusCode, response.headers['www-authenticate'], seen]).toEqual([
      401,
      'Basic realm="lockage"',
      [],
    ]);
    response.resume();
  });

  it('keeps that the registry broke a blob off, until it gives it after all', async () => {
    breaks = 2;
    for (const part of ['bytes=0-', 'bytes=1000-']) {
      await expect(bytes(await ask(blobPath(), { headers: { Range: part } }))).rejects.toThrow('aborted');
      expect(offered.failure()?.message).toMatch(/^a transfer from the registry 127\.0\.0\.1:\d+ broke off: /);
    }
    await bytes(await ask(blobPath(), { headers: { Range: 'bytes=2000-' } }));
    expect(offered.failure()).toBeUndefined();
  });

  it('takes a blob that the engine gives up for no failure of the registry', async () => {
    const response = await ask(blobPath());
    const closed = new Promise((resolve) => offered.server.once('request', (_, answer) => answer.on('close', resolve)));
    const other = await ask(blobPath());
    response.destroy();
    other.destroy();
    await closed;
    await sleep(50);
    expect(offered.failure()).toBeUndefined();
  });

  it('says what the registry does not have, and keeps why it failed', async () => {
    const missing = await ask(`/v2/${offered.name}/manifests/${digest}`);
    expect([missing.statusCode, offered.failure()]).toEqual([404, undefined]);
    missing.resume();
    offered = startPullProxy(new RegistryClient({ dockerConfig: tmpdir() }), repository);
    address = await listen(offered.server);
    const refused = await ask(blobPath());
    expect([refused.statusCode, (await bytes(refused)).toString()]).toEqual([
      502,
      expect.stringContaining('demands a login'),
    ]);
    expect(offered.failure()?.hint).toContain('docker login');
  });
});
