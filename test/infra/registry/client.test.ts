import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { releaseRegistry } from '../../../infra/adapters/registry.ts';
import { parseReference, RegistryClient, type Location } from '../../../infra/registry/client.ts';
import { storedCredentials } from '../../../infra/registry/credentials.ts';
import { imageFor, imagesOf } from '../../../infra/registry/images-of.ts';
import { platformIndex } from '../../../infra/registry/platform-index.ts';
import { createAuthority, issueCertificate } from '../../../scripts/lab/certificates.ts';

const hash = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}` as const;
const config = JSON.stringify({ os: 'linux', architecture: 'arm64', config: { User: 'app' } });
const manifest = JSON.stringify({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { digest: hash(config), size: config.length },
  layers: [],
});
const index = JSON.stringify({
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [
    { digest: hash(manifest), size: manifest.length, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    { digest: hash('other'), size: 5, platform: { os: 'linux', architecture: 'amd64' } },
    { digest: hash('attestation'), size: 5, platform: { os: 'unknown', architecture: 'unknown' } },
  ],
});

const never = new AbortController().signal;
let server: Server | undefined;
const folders: string[] = [];

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const made = createServer(answer);
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(made.address() as AddressInfo).port}`;
}

/** A registry that has these by their digests. */
async function serveContents(...texts: string[]): Promise<string> {
  const contents = new Map<string | undefined, string>(texts.map((text) => [hash(text), text]));
  return serve(({ url }, response) => response.end(contents.get(url?.split('/').at(-1))));
}

async function dockerConfig(content: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-config-'));
  folders.push(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify(content));
  return folder;
}

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

describe('a release of an embedded registry', () => {
  const digest = hash('release');
  const release = {
    ...{ version: '1.0.0', repository: 'embedded.lockage.internal/shop-1', digest, platform: 'linux/amd64' },
    ...{ builder: 'bob@tower', createdAt: '2026-01-01T00:00:00.000Z' },
  } as const;
  const verify = async (place: (address: string) => Location) => {
    const asked: string[] = [];
    const address = await serve(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(404).end();
    });
    const client = new RegistryClient({ locate: async () => place(address) });
    const error: unknown = await releaseRegistry(client)
      .verify(release)
      .catch((thrown: unknown) => thrown);
    return { asked, error, address };
  };

  it('that another operator made is not here, and it is said how to get it here', async () => {
    const { asked, error } = await verify((address) => ({ repository: `${address}/shop-1`, container: 'c0ffee' }));
    expect(asked).toEqual(['/v2/shop-1/manifests/1.0.0', `/v2/shop-1/manifests/${digest}`]);
    expect(error).toMatchObject({
      message: 'release 1.0.0 is not in the embedded registry of this computer',
      details: [`embedded.lockage.internal/shop-1@${digest}`, 'made by bob@tower'],
      hint: expect.stringMatching(/two need a registry in common.*`lockage releases push --to REPOSITORY`/),
    });
  });

  it('that was not copied before a repository was configured is named with the command', async () => {
    const { error, address } = await verify((at) => ({ repository: `${at}/team/shop` }));
    expect(error).toMatchObject({
      message: `release 1.0.0 is not in ${address}/team/shop`,
      hint: expect.stringContaining(`\`lockage releases push --to ${address}/team/shop\``),
    });
  });
});

describe('an image reference', () => {
  it.each([
    ['localhost/shop', { registry: 'localhost', name: 'shop' }],
    ['10.0.0.1:5000/team/shop:1.2.3', { registry: '10.0.0.1:5000', name: 'team/shop', tag: '1.2.3' }],
    [`r.example.com/shop:1@${hash('')}`, { registry: 'r.example.com', name: 'shop', tag: '1', digest: hash('') }],
    ['postgres:15', { registry: 'docker.io', name: 'library/postgres', tag: '15' }],
    ['team/shop', { registry: 'docker.io', name: 'team/shop' }],
    ['docker.io/caddy:2', { registry: 'docker.io', name: 'library/caddy', tag: '2' }],
    ['index.docker.io/team/shop', { registry: 'docker.io', name: 'team/shop' }],
    ['index.docker.io/caddy', { registry: 'docker.io', name: 'library/caddy' }],
    ['[::1]:5000/shop:1', { registry: '[::1]:5000', name: 'shop', tag: '1' }],
    ['[fd00::5]/team/shop', { registry: '[fd00::5]', name: 'team/shop' }],
    ['Registry/shop', { registry: 'Registry', name: 'shop' }],
    ['shop.localhost:5000/a', { registry: 'shop.localhost:5000', name: 'a' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual({ ...expected, repository: `${expected.registry}/${expected.name}` });
  });

  it.each([
    '',
    '/',
    'r.io/',
    'r.io/Shop',
    'r.io/a/../b',
    'r.io/shop:',
    'r.io/shop@sha256:12',
    'r.io:99999999/x',
    '-x/y',
  ])('is not "%s"', (text) => {
    expect(() => parseReference(text)).toThrow('is no image reference');
  });
});

describe('a registry', () => {
  it.each([
    ['an index', index],
    ['a plain image', manifest],
  ])('says in one answer which digest %s has', async (_what, content) => {
    const asked: string[] = [];
    const registry = await serve(({ url = '' }, response) => {
      asked.push(url);
      response.end(content);
    });
    expect(await new RegistryClient().resolve(`${registry}/shop`, '1')).toBe(hash(content));
    expect(asked).toEqual(['/v2/shop/manifests/1']);
  });

  it('with an index gives the image of a platform, and takes no attestation for one', async () => {
    const repository = `${await serveContents(index, manifest, config)}/shop`;
    const client = new RegistryClient();
    const digest = hash(index);
    const image = await client.imageConfig(repository, digest, 'linux/arm64');
    expect(image).toMatchObject({ os: 'linux', architecture: 'arm64', user: 'app', volumes: [], starts: false });
    await expect(client.imageConfig(repository, digest, 'linux/s390x')).rejects.toMatchObject({
      details: ['it has: linux/arm64/v8, linux/amd64'],
    });
    await expect(client.imageConfig(repository, digest)).rejects.toMatchObject({
      message: expect.stringContaining('no image for one platform alone'),
      hint: expect.stringContaining('`build: { platform: linux/arm64/v8 }`'),
    });
    const release = await releaseRegistry(client, { platform: 'linux/arm64' }).image(`${repository}@${digest}`);
    expect(release).toMatchObject({ repository, digest, platform: 'linux/arm64', user: 'app' });
  });

  it('with an index of several platforms records each of them, and root where any of them is', async () => {
    const other = JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      config: { Cmd: ['a'], Volumes: { '/data': {} } },
    });
    const second = JSON.stringify({ ...JSON.parse(manifest), config: { digest: hash(other), size: other.length } });
    const whole = [
      { text: manifest, platform: 'linux/arm64/v8' },
      { text: second, platform: 'linux/amd64' },
    ].map(({ text, platform }) => ({
      ...{ digest: hash(text), mediaType: 'application/vnd.oci.image.manifest.v1+json', platform },
      bytes: Buffer.from(text),
    }));
    const { bytes, digest } = platformIndex(whole);
    const repository = `${await serveContents(bytes.toString(), manifest, config, second, other)}/shop`;
    const wanted = (platforms: string[]) =>
      releaseRegistry(new RegistryClient(), { platforms }).image(`${repository}@${digest}`);
    expect(await wanted(['linux/amd64', 'linux/arm64'])).toEqual({
      ...{ repository, digest, platform: 'linux/amd64', user: '', volumes: ['/data'], startless: true },
      platforms: { 'linux/amd64': hash(second), 'linux/arm64': hash(manifest) },
    });
    await expect(wanted(['linux/amd64', 'linux/riscv64'])).rejects.toThrow(/no image for linux\/riscv64/);
  });

  it.each(['', 'root', '0', '+0', '-0', '0:0', '+0:staff'])(
    'records root where one of its images runs as %j',
    (root) => {
      const images = [{ user: 'app' }, { user: root }].map((each) => ({ ...each, os: 'linux', architecture: 'amd64' }));
      const asked = images.values();
      const client = {
        parts: async () => ({ manifest: { digest: hash('x'), mediaType: '', bytes: Buffer.alloc(0) } }) as never,
        imageConfig: async () => ({ ...asked.next().value, volumes: [], starts: true }) as never,
      };
      const found = imagesOf(client, 'r/shop', hash('x'), ['linux/amd64', 'linux/amd64/v2']);
      return expect(found).resolves.toMatchObject({ user: root });
    },
  );

  it('with an image for one platform alone is refused where several are asked for', async () => {
    const repository = `${await serveContents(manifest, config)}/shop`;
    const registry = releaseRegistry(new RegistryClient(), { platforms: ['linux/arm64', 'linux/amd64'] });
    await expect(registry.image(`${repository}@${hash(manifest)}`)).rejects.toMatchObject({
      message: expect.stringContaining('has no image for linux/amd64'),
      details: ['what it has there is for linux/arm64'],
    });
  });

  it('of one platform that was pushed with how it was built is the image alone', async () => {
    const attestation = { digest: hash('attestation'), size: 5, platform: { os: 'unknown', architecture: 'unknown' } };
    const own = { digest: hash(manifest), size: manifest.length, platform: { os: 'linux', architecture: 'arm64' } };
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const pushed = JSON.stringify({ mediaType, manifests: [own, attestation] });
    const repository = `${await serveContents(pushed, manifest, config)}/shop`;
    const found = await imageFor(new RegistryClient(), repository, hash(pushed), 'linux/arm64');
    expect(found.manifest.digest).toBe(hash(manifest));
    await expect(imageFor(new RegistryClient(), repository, hash(manifest), 'linux/amd64')).rejects.toThrow(
      /has no image for linux\/amd64/,
    );
  });

  it('without a configuration is refused as no image', async () => {
    const bare = JSON.stringify({ mediaType: 'application/vnd.oci.image.manifest.v1+json', layers: [] });
    const repository = `${await serveContents(bare)}/shop`;
    for (const work of ['imageConfig', 'labels', 'parts'] as const)
      await expect(new RegistryClient()[work](repository, hash(bare))).rejects.toMatchObject({
        name: 'LockageError',
        message: expect.stringContaining('is no image: it has no configuration'),
      });
  });

  it('with an index of one image that names no platform gives that image', async () => {
    const attestation = { digest: hash('attestation'), size: 5, platform: { os: 'unknown', architecture: 'unknown' } };
    const manifests = [{ digest: hash(manifest), size: manifest.length }, attestation];
    const single = JSON.stringify({ mediaType: 'application/vnd.oci.image.index.v1+json', manifests });
    const repository = `${await serveContents(single, manifest, config)}/shop`;
    for (const platform of [undefined, 'linux/arm64']) {
      const image = await new RegistryClient().imageConfig(repository, hash(single), platform);
      expect(image).toMatchObject({ os: 'linux', architecture: 'arm64', user: 'app' });
    }
  });

  it('says of an index what it is made of, and of an image how large it is', async () => {
    const repository = `${await serveContents(index, manifest)}/shop`;
    const client = new RegistryClient();
    expect(await client.size(repository, hash(index))).toEqual({
      parts: [hash(manifest), hash('other'), hash('attestation')],
    });
    expect(await client.size(repository, hash(manifest))).toEqual({ bytes: config.length });
  });

  it('that answers with other bytes than the digest is refused', async () => {
    const registry = await serve((_, response) => response.end(manifest));
    await expect(new RegistryClient().manifest(`${registry}/shop`, hash('wanted'))).rejects.toThrow(/sent .* for /);
  });

  it('that is busy is asked again, not endlessly', async () => {
    let calls = 0;
    const registry = await serve((_, response) => {
      calls++;
      response.writeHead(calls < 3 ? 503 : 200, { 'Retry-After': '0' }).end(calls < 3 ? '' : manifest);
    });
    await new RegistryClient().manifest(`${registry}/shop`, hash(manifest));
    expect(calls).toBe(3);
    calls = -100;
    await expect(new RegistryClient().manifest(`${registry}/shop`, hash(manifest))).rejects.toThrow(
      `${registry} failed: 503`,
    );
    expect(calls).toBe(-96);
  });

  it('that is silent gave no answer in time', async () => {
    const registry = await serve(() => undefined);
    await expect(new RegistryClient({ deadline: 20 }).exists(`${registry}/shop`, hash(''))).rejects.toThrow(
      `cannot reach the registry ${registry}: no answer within 0.02 s`,
    );
  });

  it('with a certificate of an unknown authority is asked twice at most, and the file that helps is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lockage-certificates-'));
    folders.push(folder);
    const authority = await createAuthority(join(folder, 'ca'), 'a private CA');
    const pair = await issueCertificate(authority, folder, { name: 'r', use: 'server', altNames: ['DNS:localhost'] });
    let connections = 0;
    const [cert, key] = await Promise.all([readFile(pair.cert), readFile(pair.key)]);
    const made = createSecureServer({ cert, key }).on('connection', () => connections++);
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    // Loopback addresses are spoken to by plain http. This one is none, and leads to the same computer.
    const registry = `0.0.0.0:${(made.address() as AddressInfo).port}`;
    const asked = new RegistryClient().exists(`${registry}/shop`, hash(''));
    await expect(asked).rejects.toMatchObject({
      message: expect.stringContaining('UNABLE_TO_VERIFY_LEAF_SIGNATURE'),
      hint: expect.stringMatching(/certs\.d.*NODE_EXTRA_CA_CERTS/),
    });
    // Once more with what the system trusts.
    expect(connections).toBeLessThanOrEqual(2);
  });

  it('that never stops sending is cut off', async () => {
    const registry = await serve((_, response) => {
      const send = (): void => void (response.destroyed || (response.write(Buffer.alloc(65_536)), setImmediate(send)));
      send();
    });
    await expect(new RegistryClient().manifest(`${registry}/shop`, hash(''))).rejects.toThrow(
      'sent more than 4194304 bytes',
    );
  });

  it('that refuses in several lines is shown in one', async () => {
    const message = 'denied\nhelp   Run `x`.\r\n';
    const registry = await serve((_, response) =>
      response.writeHead(403).end(JSON.stringify({ errors: [{ code: 'DENIED', message }] })),
    );
    await expect(new RegistryClient().manifest(`${registry}/shop`, hash(''))).rejects.toMatchObject({
      details: [expect.stringMatching(/: 403 denied help {3}Run `x`\.$/)],
    });
  });

  it('with a token service gets a token for the login, once', async () => {
    const seen: string[] = [];
    const registry = await serve((request, response) => {
      const { authorization = 'none' } = request.headers;
      seen.push(`${request.url?.split('?')[0]} ${authorization.split(' ')[0]}`);
      if (request.url?.startsWith('/token')) return response.end(JSON.stringify({ token: 'pass' }));
      if (authorization === 'Bearer pass') return response.end(manifest);
      const challenge = `Bearer realm="http://${registry}/token",service="test",scope="repository:shop:pull"`;
      return response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
    });
    const auth = Buffer.from('me:secret').toString('base64');
    const client = new RegistryClient({ dockerConfig: await dockerConfig({ auths: { [registry]: { auth } } }) });
    await client.manifest(`${registry}/shop`, hash(manifest));
    await client.manifest(`${registry}/shop`, hash(manifest));
    const path = `/v2/shop/manifests/${hash(manifest)}`;
    expect(seen).toEqual([`${path} none`, '/token Basic', `${path} Bearer`, `${path} Bearer`]);
  });
});

describe('the login of a registry', () => {
  const auth = Buffer.from('me:secret').toString('base64');

  it('is for nobody that it redirects to', async () => {
    const seen: string[] = [];
    const other = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers.authorization ?? 'none'}`);
      const own = `http://127.0.0.1:${(other.address() as AddressInfo).port}/token`;
      response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${own}"` }).end();
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const place = `http://127.0.0.1:${(other.address() as AddressInfo).port}/store`;
    const registry = await serve((_, response) => response.writeHead(307, { location: place }).end());
    const client = new RegistryClient({ dockerConfig: await dockerConfig({ auths: { [registry]: { auth } } }) });
    await expect(client.manifest(`${registry}/shop`, hash(manifest))).rejects.toThrow('refuses this machine');
    await expect(
      client.stream(`${registry}/shop`, { method: 'GET', kind: 'blobs', digest: hash(''), headers: {} }, never),
    ).rejects.toThrow('refuses this machine');
    other.close();
    expect(seen).toEqual(['/store none', '/store none']);
  });

  it('is not what hosts get, where there is one for pulls', async () => {
    const folder = await dockerConfig({ auths: { 'r.example.com': { auth } } });
    const pulls = Buffer.from('reader:only').toString('base64');
    const pullConfig = await dockerConfig({ auths: { 'r.example.com': { auth: pulls } } });
    const header = await new RegistryClient({ dockerConfig: folder, pullConfig }).registryAuthHeader('r.example.com/a');
    expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toMatchObject({ username: 'reader' });
    const none = new RegistryClient({ dockerConfig: folder, pullConfig: await dockerConfig({}) });
    expect(await none.registryAuthHeader('r.example.com/a')).toBeUndefined();
  });
});

describe('a token service', () => {
  /** The failure to read from a registry whose token service answers like this. */
  async function failure(answer: (response: ServerResponse) => void): Promise<{ host: string; error: unknown }> {
    const host = await serve(({ url }, response) => {
      if (url?.startsWith('/token')) return answer(response);
      return response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${host}/token"` }).end();
    });
    const error = await new RegistryClient({ dockerConfig: tmpdir() })
      .exists(`${host}/shop`, hash(''))
      .catch((found: unknown) => found);
    return { host, error };
  }

  it.each([503, 429])('that only answers %i is named, and is no missing login', async (status) => {
    const { host, error } = await failure((response) => response.writeHead(status, { 'Retry-After': '0' }).end());
    expect(error).toMatchObject({
      name: 'LockageError',
      message: `the token service ${host} of ${host} failed: ${status}`,
      hint: 'Try again later.',
    });
  });

  it.each(['<html>Welcome</html>', 'null', '{}'])('that sends %s for a token is named', async (content) => {
    const { host, error } = await failure((response) => response.end(content));
    expect(error).toMatchObject({ message: `the token service ${host} of ${host} sent no token` });
  });

  it.each([400, 401, 403, 404])('that answers %i wants a login', async (status) => {
    const { host, error } = await failure((response) => response.writeHead(status).end());
    expect(error).toMatchObject({ message: `${host} demands a login` });
  });

  it('that is gone is named', async () => {
    const { host, error } = await failure((response) => response.destroy());
    expect(error).toMatchObject({ message: expect.stringContaining(`cannot reach the token service ${host} of`) });
  });
});

describe('credentials', () => {
  const path = process.env.PATH;

  afterEach(() => {
    process.env.PATH = path;
  });

  /** Docker's folder with a credential helper for r.example.com, which is found by PATH. */
  async function helper(script: string): Promise<string> {
    const folder = await dockerConfig({ credHelpers: { 'r.example.com': 'lockage-test' } });
    const file = join(folder, 'docker-credential-lockage-test');
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    process.env.PATH = `${folder}:${path}`;
    return folder;
  }

  it('come from a helper, which is asked by its own protocol', async () => {
    const folder = await helper('read name; echo "{\\"Username\\":\\"me\\",\\"Secret\\":\\"for $name $1\\"}"');
    const found = await storedCredentials('r.example.com', folder);
    expect(found).toEqual({ username: 'me', password: 'for r.example.com get' });
    const header = await new RegistryClient({ dockerConfig: folder }).registryAuthHeader('r.example.com/shop');
    expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toMatchObject({ username: 'me' });
  });

  const login = `echo '{"ServerURL":"r.example.com","Username":"me","Secret":"s3cret-canary"}'`;

  it.each([
    ['fails after it printed them', `${login}; exit 1`, 'has no credentials for r.example.com'],
    ['prints a warning before them', `echo careful; ${login}`, 'printed something else than a login'],
    ['prints half of them', `${login} | cut -c -65`, 'printed something else than a login'],
    ['prints others than it should', `echo '{"Username":"me"}'`, 'printed something else than a login'],
    ['prints nothing', 'true', 'printed something else than a login'],
  ])('of a helper that %s are shown to nobody', async (_what, script, message) => {
    const error = await storedCredentials('r.example.com', await helper(script)).catch((found: unknown) => found);
    expect(error).toMatchObject({ name: 'LockageError', message: expect.stringContaining(message) });
    expect(inspect(error, { depth: null, showHidden: true })).not.toMatch(/s3cret|"Username"/);
  });

  it('that a helper does not find are missing for the reason it gives', async () => {
    const folder = await helper('echo the keychain is locked; exit 1');
    await expect(storedCredentials('r.example.com', folder)).rejects.toMatchObject({
      details: ['the keychain is locked'],
    });
  });

  it('that cannot be read are missed only where a registry demands them, and then the reason is said', async () => {
    const folder = await dockerConfig({ credsStore: 'lockage-absent' });
    const client = new RegistryClient({ dockerConfig: folder });
    const open = await serveContents(manifest, config);
    expect(await client.exists(`${open}/shop`, hash(manifest))).toBe(true);
    expect(await client.registryAuthHeader(`${open}/shop`)).toBeUndefined();
    const closed = await serve((_, response) => response.writeHead(401).end());
    await expect(client.exists(`${closed}/shop`, hash(manifest))).rejects.toMatchObject({
      message: `${closed} demands a login`,
      details: [expect.any(String), 'docker-credential-lockage-absent is not installed'],
    });
  });

  it('are enough where a registry refuses to speak of a repository that is not there yet', async () => {
    const registry = await serve((_, response) => response.writeHead(403).end());
    const auth = Buffer.from('me:secret').toString('base64');
    const known = new RegistryClient({ dockerConfig: await dockerConfig({ auths: { [registry]: { auth } } }) });
    expect(await known.tagDigest(`${registry}/shop`, '1.0.0', true)).toBeUndefined();
    await expect(known.tagDigest(`${registry}/shop`, '1.0.0')).rejects.toThrow('refuses this machine');
    const stranger = new RegistryClient({ dockerConfig: await dockerConfig({}) });
    await expect(stranger.tagDigest(`${registry}/shop`, '1.0.0', true)).rejects.toThrow('demands a login');
  });

  it('are none where nobody logged in', async () => {
    expect(await storedCredentials('r.example.com', await dockerConfig({}))).toBeUndefined();
    expect(await storedCredentials('r.example.com', join(tmpdir(), 'absent'))).toBeUndefined();
  });

  it('of a helper with a strange name are not asked for', async () => {
    const folder = await dockerConfig({ credsStore: '../evil' });
    await expect(storedCredentials('r.example.com', folder)).rejects.toThrow('no name of a credential helper');
  });
});

it('tells the layers of an image, also of the one for a platform in an index', async () => {
  const layers = [
    { digest: hash('base'), size: 30 },
    { digest: hash('own'), size: 12 },
  ];
  const image = JSON.stringify({ mediaType: 'application/vnd.oci.image.manifest.v1+json', config: layers[0], layers });
  const entry = { digest: hash(image), size: image.length, platform: { os: 'linux', architecture: 'arm64' } };
  const both = JSON.stringify({
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ digest: hash('other'), size: 5, platform: { os: 'linux', architecture: 'amd64' } }, entry],
  });
  const repository = `${await serveContents(image, both)}/shop`;
  const found = layers.map(({ digest, size }) => ({ digest, bytes: size }));
  const client = new RegistryClient();
  expect(await client.layers(repository, hash(image))).toEqual(found);
  expect(await client.layers(repository, hash(both), 'linux/arm64')).toEqual(found);
});
