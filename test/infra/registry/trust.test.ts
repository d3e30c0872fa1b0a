import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createSecureServer, request as secureRequest } from 'node:https';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { tlsOptions } from '../../../infra/docker/tls/options.ts';
import { exchange } from '../../../infra/registry/http.ts';
import { Trust } from '../../../infra/registry/trust.ts';
import { webFetch } from '../../../infra/system/web-fetch.ts';
import { createAuthority, issueCertificate } from '../../../scripts/lab/certificates.ts';
import { WebProxy } from '../../support/registry-front.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

const never = new AbortController().signal;
const closing: (() => void)[] = [];
let folder: string;
let authority: Pair & { readonly file: string };
let other: Pair;
let servers: Pair;
let client: Pair;

const readPair = async ({ cert, key }: Pair): Promise<Pair> => ({
  cert: await readFile(cert, 'utf8'),
  key: await readFile(key, 'utf8'),
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-trust-'));
  const files = await createAuthority(join(folder, 'ca'), 'a private CA');
  authority = { ...(await readPair(files)), file: files.cert };
  other = await readPair(await createAuthority(join(folder, 'other'), 'another one'));
  const altNames = ['IP:127.0.0.1', 'DNS:registry.invalid'];
  servers = await readPair(await issueCertificate(files, folder, { name: 'r', use: 'server', altNames }));
  client = await readPair(await issueCertificate(files, folder, { name: 'anna', use: 'client' }));
});

afterEach(() => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0)) close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A server that answers with the name in the client's certificate. */
async function secureServer(): Promise<number> {
  const options = { ...servers, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
  const server = createSecureServer(options, ({ socket }, response) => {
    const { subject } = (socket as TLSSocket).getPeerCertificate();
    response.end(subject?.CN ?? 'nobody');
  });
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return portOf(server);
}

const trust = (host: string, authorities: readonly string[], pairs: readonly Pair[] = []) =>
  new Trust(host, { authorities, pairs, unread: [] });

it('believes what the system believes also in requests that were on their way when that was found out', async () => {
  vi.stubEnv('SSL_CERT_FILE', authority.file);
  const to = await secureServer();
  let connections = 0;
  const sockets = new Set<Socket>();
  const slow = createServer(async (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (++connections === 2) await sleep(300);
    const onward = connect(to, '127.0.0.1').on('error', () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    slow.close();
  });
  const host = `127.0.0.1:${await portOf(slow)}`;
  const request = { method: 'GET', trust: trust(host, [other.cert]) };
  const answers = await Promise.all([1, 2].map(() => exchange(new URL(`https://${host}/`), request, never)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(connections).toBeGreaterThan(2);
});

it('refuses a server that neither the registry’s files nor the system vouch for', async () => {
  vi.stubEnv('SSL_CERT_FILE', '');
  const host = `127.0.0.1:${await secureServer()}`;
  const request = { method: 'GET', trust: trust(host, [other.cert]) };
  await expect(exchange(new URL(`https://${host}/`), request, never)).rejects.toThrow(/certificate/);
});

it.each<readonly [string, (url: URL) => Promise<unknown>]>([
  ['a registry', (url) => exchange(url, { method: 'GET', headers: { Authorization: 'Basic abc' } }, never)],
  ['GitHub or a web hook', (url) => webFetch(url, { method: 'POST', body: 'a token' })],
  [
    'an engine',
    ({ hostname, port }) =>
      new Promise((resolve, reject) => {
        const call = secureRequest({ hostname, port, ...tlsOptions(hostname, createSecureContext()) }, resolve);
        call.on('error', reject).end();
      }),
  ],
])('believes no stranger in the place of %s, whatever a variable of Node says', async (_name, ask) => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  const url = new URL(`https://127.0.0.1:${await secureServer()}/`);
  const why = await ask(url).then(
    () => 'it was believed',
    (error: unknown) => JSON.stringify([(error as NodeJS.ErrnoException).code, (error as Error).cause]),
  );
  expect(why).toMatch(/UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
});

it('reads an answer of who is known, whatever that variable says', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  const server = createServer();
  server.on('connection', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'));
  closing.push(() => server.close());
  const answer = await webFetch(`http://127.0.0.1:${await portOf(server)}/`, { method: 'POST', body: 'a' });
  expect([answer.status, await answer.text()]).toEqual([200, 'hi']);
});

it.each(['directly', 'through a web proxy'])(
  'shows a certificate to the registry that it is for, and uses its connection for nobody else, %s',
  async (way) => {
    const isProxied = way !== 'directly';
    const port = await secureServer();
    const host = `${isProxied ? 'registry.invalid' : '127.0.0.1'}:${port}`;
    const proxy = await WebProxy.start({ tunnelsTo: '127.0.0.1' });
    try {
      if (isProxied) vi.stubEnv('HTTPS_PROXY', `http://${proxy.address}`);
      const ask = async (asked: Trust) => {
        const { body } = await exchange(new URL(`https://${host}/`), { method: 'GET', trust: asked }, never);
        return body.toString();
      };
      const [own, another] = [trust(host, [authority.cert], [client]), trust('r.example.com', [authority.cert])];
      expect([await ask(own), await ask(another), await ask(own)]).toEqual(['anna', 'nobody', 'anna']);
      // Node.js 22 keeps no connection through a proxy with a certificate of ours, which is nobody's harm.
      expect([...new Set(proxy.asked)]).toEqual(isProxied ? [`CONNECT ${host}`] : []);
      expect(proxy.asked.length).toBeGreaterThanOrEqual(isProxied ? 2 : 0);
    } finally {
      await proxy.stop();
    }
  },
);
