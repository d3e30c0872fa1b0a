import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { releaseRegistry } from '../../../infra/adapters/registry.ts';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { copyImage } from '../../../infra/registry/copy.ts';
import { RegistryWriter } from '../../../infra/registry/writer.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { withOddity } from '../../support/odd-json.ts';
import { digestOf } from './values.ts';

const type = (kind: string) => `application/vnd.oci.image.${kind}.v1+json`;
const config = {
  os: 'linux',
  architecture: 'amd64',
  config: { User: 'app', Labels: { a: 'b' }, Volumes: { '/d': {} } },
};
const manifestOf = (configuration: string) => ({
  mediaType: type('manifest'),
  config: { mediaType: type('config'), digest: digestOf(configuration), size: configuration.length },
  layers: [{ mediaType: type('layer'), digest: digestOf('layer'), size: 5 }],
});
const indexOf = (manifest: string) => ({
  mediaType: type('index'),
  manifests: [
    { digest: digestOf(manifest), size: manifest.length, platform: { os: 'linux', architecture: 'amd64' } },
    { digest: digestOf('other'), size: 5, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
  ],
});

/** What the registry has by its digests, and by the tag `1.0.0`. */
const contents = new Map<string, string>();
let server: Server;
let registry: string;

beforeAll(async () => {
  server = createServer(({ url = '', method }, response) => {
    if (method === 'POST') return void response.writeHead(202, { Location: `/upload` }).end();
    if (method === 'PUT') return void response.writeHead(201).end();
    const found = contents.get(url.split('/').at(-1) ?? '');
    response.writeHead(found === undefined ? 404 : 200).end(method === 'HEAD' ? undefined : found);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => contents.clear());

/** Serves these, the last one by the tag. */
function serve(...texts: readonly string[]): `sha256:${string}` {
  for (const text of [...texts, 'layer']) contents.set(digestOf(text), text);
  contents.set('1.0.0', texts.at(-1) ?? '');
  return digestOf(texts.at(-1) ?? '');
}

/** Asks for an image in all ways in which it is asked for. Returns what failed. */
async function askAll(digest: `sha256:${string}`): Promise<unknown[]> {
  const client = new RegistryClient();
  const repository = `${registry}/shop`;
  const copied = { from: client, to: new RegistryWriter(), repository, digest, target: `${registry}/copy`, tag: 'x' };
  const asked = await Promise.allSettled([
    client.resolve(repository, '1.0.0'),
    client.tagDigest(repository, '1.0.0'),
    client.imageConfig(repository, digest, 'linux/amd64'),
    client.labels(repository, digest),
    client.layers(repository, digest, 'linux/amd64'),
    client.parts(repository, digest, 'linux/amd64'),
    client.size(repository, digest),
    copyImage(copied),
    releaseRegistry(client).image(`${repository}:1.0.0`),
    releaseRegistry(client, { platforms: ['linux/amd64'] }).image(`${repository}:1.0.0`),
  ]);
  return asked.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
}

function expectExplained(errors: readonly unknown[]): void {
  for (const error of errors) if (!(error instanceof LockageError)) throw error;
}

const bodies: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['null', 'null'],
  ['a number', '1e999'],
  ['text', '"\\u001b]0;title\\u0007"'],
  ['a list of null', '[null]'],
  ['HTML', '<html>\u001b[31mSign in</html>'],
  ['half of it', '{"mediaType":"application/vnd.oci'],
  ['nothing in it', `{"mediaType":"${type('manifest')}","config":null,"layers":null}`],
  ['an index of null', `{"mediaType":"${type('index')}","manifests":null}`],
  ['an index of nothing known', `{"mediaType":"${type('index')}","manifests":[null, 5, {}]}`],
  ['a prototype', '{"__proto__":{"config":{}},"constructor":null}'],
  ['what is very deep', '['.repeat(100_000) + ']'.repeat(100_000)],
];

describe.each(bodies)('a registry that has %s', (_what, body) => {
  test('for a manifest is refused in a sentence', async () => {
    const errors = await askAll(serve(body));
    expectExplained(errors);
    expect(errors.length).toBeGreaterThan(0);
  });

  test('for the configuration of an image is refused in a sentence', async () => {
    const digest = serve(body, JSON.stringify(manifestOf(body)));
    expectExplained(await askAll(digest));
    await expect(new RegistryClient().imageConfig(`${registry}/shop`, digest)).rejects.toBeInstanceOf(LockageError);
  });
});

test.each([
  ['a chart', '{"name":"shop","version":"1.0.0"}'],
  ['a signature', '{}'],
  ['an image for no processor', '{"os":"linux"}'],
])('%s is no image that could be released', async (_what, configuration) => {
  const digest = serve(configuration, JSON.stringify(manifestOf(configuration)));
  await expect(new RegistryClient().imageConfig(`${registry}/shop`, digest)).rejects.toThrow(
    /sent something that is no image: it\.architecture is no text/,
  );
});

test.each([
  ['an image', [JSON.stringify(config), JSON.stringify(manifestOf(JSON.stringify(config)))]],
  [
    'an index',
    [
      JSON.stringify(config),
      JSON.stringify(manifestOf(JSON.stringify(config))),
      JSON.stringify(indexOf(JSON.stringify(manifestOf(JSON.stringify(config))))),
    ],
  ],
])('%s with anything in the place of anything else is taken, or refused in a sentence', async (_what, texts) => {
  const last = JSON.parse(texts.at(-1) ?? '') as object;
  await fc.assert(
    fc.asyncProperty(withOddity(last), withOddity(config), async (odd, oddConfig) => {
      contents.clear();
      expectExplained(await askAll(serve(...texts.slice(0, -1), JSON.stringify(odd) ?? '')));
      const configuration = JSON.stringify(oddConfig) ?? '';
      expectExplained(await askAll(serve(configuration, JSON.stringify(manifestOf(configuration)))));
    }),
    { numRuns: 40 },
  );
});

test('an honest registry has all of an image, and what is null of it is nothing', async () => {
  const bare = JSON.stringify({ ...config, config: { User: null, Labels: null, Volumes: null, Cmd: null } });
  const errors = await askAll(serve(bare, JSON.stringify(manifestOf(bare))));
  expect(errors).toEqual([]);
  const found = await new RegistryClient().imageConfig(`${registry}/shop`, digestOf(JSON.stringify(manifestOf(bare))));
  expect(found).toEqual({ os: 'linux', architecture: 'amd64', user: '', volumes: [], starts: false });
});

test.each(['', 'sha512:aa', 'none'])('a header that says %j of a digest says nothing', async (said) => {
  const text = JSON.stringify(manifestOf('{}'));
  const odd = createServer((_, response) => response.setHeader('Docker-Content-Digest', said).end(text));
  await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
  const place = `127.0.0.1:${(odd.address() as AddressInfo).port}/shop`;
  await expect(new RegistryClient().resolve(place, '1.0.0')).resolves.toBe(digestOf(text));
  odd.closeAllConnections();
  odd.close();
});
