import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { RegistryClient } from '../../infra/registry/client.ts';
import type { RegistryOptions } from '../../infra/registry/requests.ts';
import { RegistryWriter } from '../../infra/registry/writer.ts';
import { createAuthority, issueCertificate, type KeyPair } from '../../scripts/lab/certificates.ts';
import { digestOf, testImage } from '../infra/registry/values.ts';
import { RegistryFront, WebProxy, type Behaviour } from '../support/registry-front.ts';
import { TestRegistry } from '../support/registry-fixture.ts';

const image = testImage('one layer', 'another one');
const mediaType = 'application/vnd.oci.image.manifest.v1+json';
const manifest = { digest: image.digest, mediaType, bytes: image.manifest };
const auth = Buffer.from('me:s3cret-canary').toString('base64');

let registry: TestRegistry;
let folder: string;
const stopping: { stop(): Promise<void> }[] = [];

function kept<T extends { stop(): Promise<void> }>(started: T): T {
  stopping.push(started);
  return started;
}

/** Starts what stands before the real registry. */
async function front(behave: Behaviour | ((front: RegistryFront) => Behaviour), options = {}): Promise<RegistryFront> {
  const make = behave.length === 1 ? (behave as (front: RegistryFront) => Behaviour) : () => behave as Behaviour;
  return kept(await RegistryFront.start(registry.address, make, options));
}

/** A folder with Docker's config.json. */
async function docker(config: unknown): Promise<string> {
  const made = await mkdtemp(join(folder, 'docker-'));
  await writeFile(join(made, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return made;
}

const loggedIn = (address: string) => docker({ auths: { [address]: { auth } } });

async function push(repository: string, tag: string, options: RegistryOptions = {}): Promise<void> {
  const writer = new RegistryWriter(options);
  for (const [digest, bytes] of image.blobs) {
    if (digest === image.digest || (await writer.hasBlob(repository, digest as `sha256:${string}`))) continue;
    const open = async () => Readable.from([bytes]);
    await writer.putBlob(repository, { digest: digest as `sha256:${string}`, size: bytes.length, open });
  }
  await writer.putManifest(repository, tag, manifest);
}

let pushes = 0;

/** All that Lockage does with a registry: reads, looks for what is not there, and pushes to a repository that is new. */
async function uses(address: string, options: RegistryOptions = {}, name = 'team/shop'): Promise<void> {
  const repository = `${address}/${name}`;
  const client = new RegistryClient(options);
  expect(await client.resolve(repository, '1')).toBe(image.digest);
  expect(await client.tagDigest(repository, '1')).toBe(image.digest);
  expect(await client.exists(repository, image.digest)).toBe(true);
  expect(await client.imageConfig(repository, image.digest)).toMatchObject({ architecture: 'amd64' });
  const [layer] = await client.layers(repository, image.digest);
  const digest = layer?.digest as `sha256:${string}`;
  const question = { method: 'GET', kind: 'blobs', digest, headers: {} } as const;
  const { body } = await client.stream(repository, question, new AbortController().signal);
  expect(digestOf(Buffer.concat(await body.toArray()))).toBe(digest);
  const fresh = `${repository}-${++pushes}`;
  expect(await client.tagDigest(fresh, '2', true)).toBeUndefined();
  await push(fresh, '2', options);
  expect(await client.tagDigest(fresh, '2')).toBe(image.digest);
}

/** A registry whose token service gives tokens for what they are asked for, and that heeds them. */
function tokens(options: {
  readonly challenge?: (realm: string, scope: string) => string | string[];
  readonly answer?: (token: string) => object;
  /** how often a token is good */
  readonly uses?: number;
  readonly name?: (own: string) => string;
}) {
  const { uses: most = Infinity, name = (own: string) => own } = options;
  return (own: RegistryFront): Behaviour => {
    const counts = new Map<string, number>();
    const realm = () => `http://${own.address}/token`;
    const challenge = options.challenge ?? ((at, scope) => `Bearer realm="${at}",service="test",scope="${scope}"`);
    return async (asked, answer, pass) => {
      const url = new URL(asked.url ?? '', `http://${own.address}`);
      if (url.pathname === '/token') {
        const form = new URLSearchParams(asked.method === 'POST' ? await textOf(asked) : url.search);
        const isKnown =
          asked.headers.authorization === `Basic ${auth}` || form.get('refresh_token') === 'identity-canary';
        if (!isKnown) return answer.writeHead(401).end();
        const scopes = form.getAll('scope').flatMap((scope) => scope.split(' '));
        const token = Buffer.from(JSON.stringify([scopes, Math.random()])).toString('base64');
        return answer.end(JSON.stringify((options.answer ?? ((each) => ({ token: each })))(token)));
      }
      const [, path = ''] = /^\/v2\/(.+?)\/(?:manifests|blobs)\//.exec(url.pathname) ?? [];
      const isRead = asked.method === 'GET' || asked.method === 'HEAD';
      const scope = `repository:${name(path)}:${isRead ? 'pull' : 'pull,push'}`;
      const token = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '')?.[1] ?? '';
      const [granted] = token === '' ? [[]] : (JSON.parse(Buffer.from(token, 'base64').toString()) as [string[]]);
      const count = (counts.get(token) ?? 0) + 1;
      counts.set(token, count);
      if (granted.includes(scope) && count <= most) return pass();
      asked.resume();
      return answer.writeHead(401, { 'WWW-Authenticate': challenge(realm(), scope) }).end();
    };
  };
}

async function textOf(asked: IncomingMessage): Promise<string> {
  return Buffer.concat(await asked.toArray()).toString();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-registries-'));
  registry = await TestRegistry.start();
  for (const name of ['team/shop', 'shop', 'prefix/team/shop']) await push(`${registry.address}/${name}`, '1');
});

beforeEach(() => {
  vi.stubEnv('XDG_CONFIG_HOME', join(folder, 'settings'));
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) {
    vi.stubEnv(name, '');
    vi.stubEnv(name.toLowerCase(), '');
  }
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const each of stopping.splice(0)) await each.stop();
});

afterAll(async () => {
  await registry.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a registry with tokens, each for one repository and what is done with it,', () => {
  test.each<[string, Parameters<typeof tokens>[0], string?]>([
    ['is pulled from and pushed to', {}],
    ['may call them access_token', { answer: (token) => ({ access_token: token, expires_in: 60 }) }],
    ['may offer other ways before', { challenge: (realm) => `Negotiate, Basic realm="r, s", Bearer realm="${realm}"` }],
    ['may offer them in lines of their own', { challenge: (realm) => ['Basic realm="r"', `Bearer realm="${realm}"`] }],
    [
      'may write them oddly',
      {
        challenge: (realm, scope) =>
          `bearer  Realm = "${realm}" , service=plain:1/x,scope="${scope}", error="invalid \\"token\\", sorry" ,, x=`,
      },
    ],
    [
      'may call the repository by another name',
      {
        name: (own) => `outside/${own}`,
        challenge: (realm, scope) => `Bearer realm="${realm}",service="test",scope="${scope}"`,
      },
    ],
    ['may take each of them a few times only', { uses: 2 }],
    ['may have them of a login that is one', {}, 'identity-canary'],
  ])('%s', async (_what, options, identitytoken) => {
    const { address } = await front(tokens(options));
    const config = identitytoken === undefined ? { auth } : { identitytoken };
    await uses(address, { dockerConfig: await docker({ auths: { [address]: config } }) });
  });
});

describe('what is not there yet is pushed to', () => {
  const absent = (status: number, body = ''): Behaviour => {
    const known = new Set(['/v2/team/shop/']);
    return ({ method = '', url = '' }, answer, pass) => {
      const [own = ''] = /^\/v2\/.+?\/(?=manifests|blobs)/.exec(url) ?? [];
      if (method === 'PUT' && url.includes('/manifests/')) known.add(own);
      const isSilent = ['GET', 'HEAD'].includes(method) && !known.has(own);
      return isSilent ? answer.writeHead(status).end(method === 'HEAD' ? undefined : body) : pass();
    };
  };

  test.each([
    [404, ''],
    [404, '<html>Not here</html>'],
    [401, '{"errors":[{"code":"UNAUTHORIZED"}]}'],
    [403, '{"errors":[{"code":"DENIED","message":"no access"}]}'],
    [403, '<html>Forbidden</html>'],
  ])('where a registry says %i %s', async (status, body) => {
    const { address } = await front(absent(status, body));
    await uses(address, { dockerConfig: await loggedIn(address) });
  });
});

describe('a registry without HEAD', () => {
  test.each<readonly [string, Behaviour]>([
    ['405', ({ method }, answer, pass) => (method === 'HEAD' ? answer.writeHead(405).end() : pass())],
    ['501', ({ method }, answer, pass) => (method === 'HEAD' ? answer.writeHead(501).end() : pass())],
    [
      '405 for manifests',
      ({ method, url }, answer, pass) =>
        method === 'HEAD' && url?.includes('/manifests/') ? answer.writeHead(405).end() : pass(),
    ],
    [
      '405 for blobs',
      ({ method, url }, answer, pass) =>
        method === 'HEAD' && url?.includes('/blobs/') ? answer.writeHead(405).end() : pass(),
    ],
    [
      'one that has no digest in it',
      ({ method }, _answer, pass) =>
        pass(method === 'HEAD' ? { headers: { 'docker-content-digest': undefined, 'content-length': undefined } } : {}),
    ],
  ])('(%s) is asked by GET', async (_what, behave) => {
    await uses((await front(behave)).address);
  });
});

describe('a registry that has its blobs elsewhere', () => {
  test.each([301, 302, 303, 307, 308])('(%i) shows its login to nobody there', async (status) => {
    const store = await front(({ headers }, answer, pass) =>
      headers.authorization === undefined ? pass() : answer.writeHead(400).end('two ways to log in'),
    );
    const { address } = await front(({ method, url = '', headers }, answer, pass) => {
      if (headers.authorization !== `Basic ${auth}`)
        return answer.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
      if (method !== 'GET' || !url.includes('/blobs/sha256:')) return pass();
      return answer.writeHead(status, { Location: `http://${store.address}${url}?X-Signature=a%2Fb` }).end('moved');
    });
    await uses(address, { dockerConfig: await loggedIn(address) });
    expect(store.asked.length).toBeGreaterThan(0);
    expect(store.asked.filter((line) => !line.endsWith(' none'))).toEqual([]);
  });

  test('under a path of its own is followed there', async () => {
    const { address } = await front(({ method, url = '' }, answer, pass) => {
      if (url.startsWith('/store/')) return pass({ path: url.slice('/store'.length) });
      if (method !== 'GET' || !url.includes('/blobs/sha256:')) return pass();
      return answer.writeHead(307, { Location: `/store${url}` }).end();
    });
    await uses(address);
  });
});

describe('a registry in trouble is asked again:', () => {
  const once = (fail: Behaviour): Behaviour => {
    const failed = new Set<string>();
    return (asked, answer, pass) => {
      // Each upload has a place of its own.
      const key = `${asked.method} ${asked.url?.split('?')[0]?.replace(/uploads\/.*/, 'uploads')}`;
      // The bodies of uploads are made once more only by who sends them.
      if (failed.has(key) || asked.method === 'PATCH') return pass();
      failed.add(key);
      asked.resume();
      return fail(asked, answer, pass);
    };
  };

  test.each<readonly [string, Behaviour]>([
    ['429 with seconds', (_asked, answer) => answer.writeHead(429, { 'Retry-After': '0' }).end()],
    ['429 with a date', (_asked, answer) => answer.writeHead(429, { 'Retry-After': new Date(0).toUTCString() }).end()],
    ['429 with nonsense', (_asked, answer) => answer.writeHead(429, { 'Retry-After': 'soon' }).end()],
    [
      '502 as a page',
      (_asked, answer) => answer.writeHead(502, { 'Retry-After': '0' }).end('<html>Bad gateway</html>'),
    ],
    ['503', (_asked, answer) => answer.writeHead(503, { 'Retry-After': '0' }).end()],
    ['a connection that is cut', ({ socket }) => socket.destroy()],
  ])('%s', async (_what, fail) => {
    await uses((await front(once(fail))).address);
  });
});

describe('an answer', () => {
  test.each<readonly [string, Behaviour]>([
    ['in chunks, of no known length', (_asked, _answer, pass) => pass({ headers: { 'content-length': undefined } })],
    [
      'whose kind has more than its name',
      (_asked, answer, pass) => {
        const set = answer.writeHead.bind(answer);
        answer.writeHead = ((status: number, headers: Record<string, string>) =>
          set(status, { ...headers, 'content-type': `${headers['content-type']}; charset=utf-8` })) as never;
        pass();
      },
    ],
    ['without its digest', (_asked, _answer, pass) => pass({ headers: { 'docker-content-digest': undefined } })],
    ['after which the connection ends', (_asked, _answer, pass) => pass({ headers: { connection: 'close' } })],
    [
      'with cookies and headers of a proxy',
      (_asked, _answer, pass) => pass({ headers: { via: '1.1 x', 'set-cookie': 'a=b' } }),
    ],
  ])('%s is read', async (_what, behave) => {
    await uses((await front(behave)).address);
  });
});

describe('a registry under a path of another server', () => {
  test.each(['artifactory/docker-local', 'a/b/c/d', 'group/project', 'x.y/z_1', 'repository/docker-hosted'])(
    '(%s) is used by it',
    async (path) => {
      const { address } = await front(({ url = '' }, answer, pass) => {
        const inner = url.replace(`/v2/${path}/`, '/v2/');
        if (inner === url) return answer.writeHead(404).end();
        const set = answer.writeHead.bind(answer);
        answer.writeHead = ((status: number, headers: Record<string, string>) => {
          const location = headers['location']?.replace('/v2/', `/v2/${path}/`);
          return set(status, { ...headers, ...(location === undefined ? {} : { location }) });
        }) as never;
        return pass({ path: inner });
      });
      await uses(address, {}, `${path}/team/shop`);
    },
  );
});

describe('a credential helper for a public repository', () => {
  test.each([
    ['is not there', undefined],
    ['fails', 'echo "error getting credentials"; exit 1'],
    ['prints a page', 'echo "<html>Log in</html>"'],
    ['prints nothing', 'true'],
    ['prints null', 'echo null'],
    ['hangs', 'exec sleep 60'],
    ['is killed', 'kill -9 $$'],
  ])('that %s is done without, as Docker does', async (what, script) => {
    const name = `test-${what.replaceAll(' ', '-')}`;
    const dockerConfig = await docker({ credsStore: name });
    if (script !== undefined) {
      const file = join(dockerConfig, `docker-credential-${name}`);
      await writeFile(file, `#!/bin/sh\n${script}\n`);
      await chmod(file, 0o755);
      vi.stubEnv('PATH', `${dockerConfig}:${process.env['PATH']}`);
    }
    // One that asks for a login although it needs none.
    const options = { dockerConfig, helperDeadline: 300 };
    await uses(registry.address, options);
    const closed = await front((_asked, answer) =>
      answer.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end(),
    );
    const refused = new RegistryClient(options).resolve(`${closed.address}/team/shop`, '1');
    await expect(refused).rejects.toMatchObject({
      message: `${closed.address} demands a login`,
      details: expect.arrayContaining([expect.stringContaining(`docker-credential-${name}`)]),
    });
  });
});

describe("Docker's config.json", () => {
  test.each<readonly [string, (address: string) => unknown]>([
    ['with the plain name', (address) => ({ auths: { [address]: { auth } } })],
    ['with https://', (address) => ({ auths: { [`https://${address}`]: { auth } } })],
    ['with a path behind it', (address) => ({ auths: { [`https://${address}/v2/`]: { auth } } })],
    ['with http:// and a slash', (address) => ({ auths: { 'r.example.com': {}, [`http://${address}/`]: { auth } } })],
    [
      'with odd entries beside it',
      (address) => ({ auths: { x: null, y: 5, z: { auth: 7 }, [address]: { auth } }, credHelpers: null }),
    ],
  ])('%s has the login', async (_what, config) => {
    const { address } = await front(({ headers }, answer, pass) =>
      headers.authorization === `Basic ${auth}` ? pass() : answer.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end(),
    );
    await uses(address, { dockerConfig: await docker(config(address)) });
  });

  test.each(['null', '[]', '5', '{"auths":5}', '{"auths":{"x":null}}', '{"credHelpers":[]}'])(
    'that says %s has none, and public images need none',
    async (text) => uses(registry.address, { dockerConfig: await docker(text) }),
  );
});

describe('a registry is called', () => {
  test.each(['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]', '127.0.0.2'])('%s', async (host) => {
    const { port } = await front((_asked, _answer, pass) => pass(), { host: host === '[::1]' ? '::1' : undefined });
    const { port: any } = await front((_asked, _answer, pass) => pass(), { host: '0.0.0.0' });
    await uses(`${host}:${host.startsWith('127.0.0.2') ? any : port}`);
  });
});

describe('a registry with TLS', () => {
  let authority: KeyPair;
  let server: { cert: string; key: string };
  let client: KeyPair;
  // Loopback is spoken to by plain http. This address is none, and leads to the same computer.
  const at = (own: RegistryFront) => `0.0.0.0:${own.port}`;

  beforeAll(async () => {
    authority = await createAuthority(join(folder, 'ca'), 'a private CA');
    const use = { name: 'registry', use: 'server', altNames: ['IP:0.0.0.0', 'IP:127.0.0.1'] } as const;
    const pair = await issueCertificate(authority, join(folder, 'tls'), use);
    server = { cert: await readFile(pair.cert, 'utf8'), key: await readFile(pair.key, 'utf8') };
    client = await issueCertificate(authority, join(folder, 'tls'), { name: 'client', use: 'client' });
  });

  async function trusting(address: string, files: Readonly<Record<string, string>>): Promise<void> {
    const place = join(folder, 'settings', 'docker', 'certs.d', address);
    await mkdir(place, { recursive: true });
    for (const [name, file] of Object.entries(files)) await writeFile(join(place, name), await readFile(file));
  }

  const open: Behaviour = (_asked, _answer, pass) => pass();
  const secure = (behave: Behaviour | ((own: RegistryFront) => Behaviour) = open, more = {}) =>
    front(behave, { host: '0.0.0.0', tls: { ...server, ...more } });

  test('is trusted by certs.d, as Docker trusts it', async () => {
    const own = await secure();
    await trusting(at(own), { 'ca.crt': authority.cert });
    await uses(at(own));
  });

  test('is trusted by what the system trusts, also where Node does not', async () => {
    vi.stubEnv('SSL_CERT_FILE', authority.cert);
    await uses(at(await secure()));
  });

  test('gets the certificate of the client that is for it', async () => {
    const own = await secure(open, { ca: await readFile(authority.cert, 'utf8'), requestCert: true });
    await trusting(at(own), { 'ca.crt': authority.cert, 'client.cert': client.cert, 'client.key': client.key });
    await uses(at(own));
  });

  test('that leads to others shows them no certificate of the client', async () => {
    const shown: boolean[] = [];
    const asking = { ca: await readFile(authority.cert, 'utf8'), requestCert: true, rejectUnauthorized: false };
    const store = await secure(({ socket }, _answer, pass) => {
      shown.push(Object.keys((socket as unknown as { getPeerCertificate(): object }).getPeerCertificate()).length > 0);
      pass();
    }, asking);
    const own = await secure(
      ({ method, url = '' }, answer, pass) =>
        method === 'GET' && url.includes('/blobs/sha256:')
          ? answer.writeHead(307, { Location: `https://${at(store)}${url}` }).end()
          : pass(),
      { ...asking, rejectUnauthorized: true },
    );
    await trusting(at(own), { 'ca.crt': authority.cert, 'client.cert': client.cert, 'client.key': client.key });
    await uses(at(own));
    expect([shown.length > 0, shown.includes(true)]).toEqual([true, false]);
  });

  test.each<readonly [string, Readonly<Record<string, keyof typeof named>>, RegExp]>([
    ['nobody vouches for', {}, /certs\.d\/0\.0\.0\.0:\d+\/ca\.crt, here and on each host/],
    ['another authority vouches for', { 'ca.crt': 'other' }, /certs\.d\/0\.0\.0\.0:\d+\/ca\.crt/],
    ['wants a certificate of the client', { 'ca.crt': 'ca' }, /client\.cert, with client\.key beside it/],
    [
      'has a certificate of the client without its key',
      { 'ca.crt': 'ca', 'client.cert': 'client' },
      /put the key there/,
    ],
    [
      'has a key that does not belong to it',
      { 'client.cert': 'client', 'client.key': 'otherKey' },
      /has to be in PEM format/,
    ],
  ])('that %s says which file helps', async (what, files, hint) => {
    const wants = what.startsWith('wants') ? { ca: await readFile(authority.cert, 'utf8'), requestCert: true } : {};
    const own = await secure(open, wants);
    const other = await createAuthority(join(folder, 'other'), 'another CA');
    const all = { ca: authority.cert, client: client.cert, other: other.cert, otherKey: other.key };
    await trusting(at(own), Object.fromEntries(Object.entries(files).map(([name, which]) => [name, all[which]])));
    const asked = new RegistryClient().resolve(`${at(own)}/team/shop`, '1');
    await expect(asked).rejects.toMatchObject({ name: 'LockageError', hint: expect.stringMatching(hint) });
  });
  const named = { ca: '', client: '', other: '', otherKey: '' };

  describe('behind a web proxy', () => {
    test.each<[string, (proxy: string) => Readonly<Record<string, string>>, string?]>([
      ['HTTPS_PROXY', (proxy) => ({ HTTPS_PROXY: `http://${proxy}` })],
      ['https_proxy', (proxy) => ({ https_proxy: `http://${proxy}/` })],
      ['HTTPS_PROXY without a scheme', (proxy) => ({ HTTPS_PROXY: proxy, https_proxy: 'http://127.0.0.1:9' })],
      ['HTTPS_PROXY with a login', (proxy) => ({ HTTPS_PROXY: `http://me:a%40b@${proxy}` }), 'me:a@b'],
      ['a NO_PROXY of others', (proxy) => ({ HTTPS_PROXY: proxy, NO_PROXY: 'example.com,0.0.0.0:1,10.0.0.0/8' })],
    ])('that %s names is asked through it', async (_what, variables, login) => {
      const proxy = kept(await WebProxy.start(login === undefined ? {} : { login }));
      const own = await secure();
      await trusting(at(own), { 'ca.crt': authority.cert });
      for (const [name, value] of Object.entries(variables(proxy.address))) vi.stubEnv(name, value);
      await uses(at(own));
      expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${at(own)}`]));
    });

    test.each<readonly [string, { readonly login?: string; readonly status?: number }, RegExp]>([
      ['that wants a login', { login: 'me:other' }, /^Give it a login that it takes, in HTTPS_PROXY/],
      ['that forbids it', { status: 403 }, /add 0\.0\.0\.0:\d+ to NO_PROXY/],
      ['that is in trouble', { status: 502 }, /^HTTPS_PROXY names it/],
    ])('%s is what failed, and its password is not shown', async (_what, options, hint) => {
      const proxy = kept(await WebProxy.start(options));
      const own = await secure();
      vi.stubEnv('HTTPS_PROXY', `http://me:s3cret-canary@${proxy.address}`);
      const error = await new RegistryClient().resolve(`${at(own)}/team/shop`, '1').catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        message: expect.stringContaining(`the web proxy ${proxy.address} does not let requests`),
        hint: expect.stringMatching(hint),
      });
      expect(JSON.stringify(error)).not.toContain('canary');
    });
  });
});

describe('a registry without TLS', () => {
  test('on the network is asked through HTTP_PROXY', async () => {
    const proxy = kept(await WebProxy.start());
    const own = await front((_asked, _answer, pass) => pass(), { host: '0.0.0.0' });
    const address = `0.0.0.0:${own.port}`;
    vi.stubEnv('http_proxy', `http://${proxy.address}`);
    await uses(address, { insecure: [address] });
    expect(proxy.asked).toContain(`HEAD http://${address}/v2/team/shop/manifests/1`);
  });

  test.each(['127.0.0.1', 'localhost', '[::1]'])('at %s is never asked through one', async (host) => {
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'])
      vi.stubEnv(name, 'http://127.0.0.1:9');
    const { port } = await front((_asked, _answer, pass) => pass(), { host: host === '[::1]' ? '::1' : undefined });
    await uses(`${host}:${port}`);
  });
});
