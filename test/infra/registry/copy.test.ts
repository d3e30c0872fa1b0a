import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RegistryClient, type RegistryOptions } from '../../../infra/registry/client.ts';
import { copyImage } from '../../../infra/registry/copy.ts';
import { RegistryWriter } from '../../../infra/registry/writer.ts';
import type { Digest } from '../../../pipelines/model/release.ts';

const hash = (content: Buffer | string): Digest => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const imageType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** A registry that takes what is pushed, and a manifest only when all that it names is there. */
class MemoryRegistry {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, Buffer>();
  /** method and path, without queries */
  readonly asked: string[] = [];
  /** uploads that are cut off before they are whole */
  breaks = 0;
  /** where blobs are sent; absent: here */
  elsewhere: string | undefined;
  /** of each request, in order */
  readonly logins: string[] = [];
  /** the login that it demands; absent: none */
  demands: string | undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  store(manifest: object, type: string): { digest: Digest; size: number; mediaType: string } {
    const bytes = Buffer.from(JSON.stringify({ mediaType: type, ...manifest }));
    this.manifests.set(hash(bytes), bytes);
    return { digest: hash(bytes), size: bytes.length, mediaType: type };
  }

  blob(content: string): { digest: Digest; size: number } {
    this.blobs.set(hash(content), Buffer.from(content));
    return { digest: hash(content), size: content.length };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const at = new URL(url, 'http://registry');
    const [, kind = '', name = ''] = /^\/v2\/shop\/(blobs|manifests)\/(.+)$/.exec(at.pathname) ?? [];
    this.asked.push(`${method} ${kind}/${name}`);
    const { authorization = 'nobody' } = request.headers;
    this.logins.push(authorization);
    if (this.demands !== undefined && authorization !== this.demands)
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="here"' }).end();
    if (method === 'POST') return this.#begin(response);
    if (method === 'PUT') return this.#take(request, response, kind, name, at);
    const found = (kind === 'blobs' ? this.blobs : this.manifests).get(name);
    if (!found) return void response.writeHead(404).end();
    const { mediaType = 'application/octet-stream' } = kind === 'blobs' ? {} : JSON.parse(found.toString());
    response.writeHead(200, { 'Content-Type': mediaType, 'Content-Length': found.length });
    response.end(method === 'HEAD' ? undefined : found);
  }

  #begin(response: ServerResponse): void {
    const place = `${this.elsewhere ?? ''}/v2/shop/blobs/uploads?_state=a%3D`;
    response.writeHead(202, { Location: place }).end();
  }

  async #take(request: IncomingMessage, response: ServerResponse, kind: string, name: string, at: URL): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if (kind !== 'manifests' && this.breaks > 0) {
        this.breaks -= 1;
        return void request.destroy();
      }
    }
    const content = Buffer.concat(chunks);
    if (kind === 'manifests') return this.#takeManifest(response, name, content);
    const digest = at.searchParams.get('digest') ?? '';
    if (digest !== hash(content) || at.searchParams.get('_state') !== 'a=') return void response.writeHead(400).end();
    this.blobs.set(digest, content);
    response.writeHead(201).end();
  }

  #takeManifest(response: ServerResponse, name: string, content: Buffer): void {
    const { config, layers = [], manifests = [] } = JSON.parse(content.toString());
    const blobs = [config, ...layers].filter((each) => each && !each.urls);
    const isWhole =
      blobs.every((each) => this.blobs.has(each.digest)) &&
      manifests.every((each: { digest: string }) => this.manifests.has(each.digest));
    if (!isWhole) return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}');
    this.manifests.set(name, content);
    this.manifests.set(hash(content), content);
    response.writeHead(201).end();
  }
}

let from: MemoryRegistry;
let to: MemoryRegistry;
let target: string;
let copy: (digest: Digest, options?: RegistryOptions) => Promise<number>;

beforeEach(async () => {
  from = new MemoryRegistry();
  to = new MemoryRegistry();
  const source = await from.start();
  target = await to.start();
  const here = async () => ({ repository: `${source}/shop` });
  copy = (digest, options = {}) =>
    copyImage({
      from: new RegistryClient({ locate: here }),
      to: new RegistryWriter(options),
      ...{ repository: 'embedded.lockage.internal/shop', digest, target: `${target}/shop`, tag: '1.0.0' },
    });
});

afterEach(() => {
  from.stop();
  to.stop();
});

const image = (content: string) => {
  const [config, base, own] = [`config of ${content}`, 'base', content].map((text) => from.blob(text));
  return from.store({ config, layers: [base, own] }, imageType);
};
const uploads = () => to.asked.filter((line) => line.startsWith('POST')).length;

test('an image comes with the same bytes, and the second time nothing is sent', async () => {
  const { digest } = image('a'.repeat(200_000));
  expect(await copy(digest)).toBe('config of '.length + 200_000 + 'base'.length + 200_000);
  expect(to.manifests.get('1.0.0')?.equals(from.manifests.get(digest) ?? Buffer.alloc(0))).toBe(true);
  expect([await copy(digest), uploads()]).toEqual([0, 3]);
});

test('an index comes with all that it is made of, and what its images share once', async () => {
  const manifests = [image('one'), image('two')];
  const { digest } = from.store({ manifests }, indexType);
  expect(await copy(digest)).toBe('config of one'.length * 2 + 'base'.length + 'one'.length * 2);
  expect([...to.manifests.keys()].sort()).toEqual(['1.0.0', digest, ...manifests.map((each) => each.digest)].sort());
});

test('a layer that is in no registry is not looked for', async () => {
  const foreign = { digest: hash('foreign'), size: 7, urls: ['https://example.com/layer'] };
  const { digest } = from.store({ config: from.blob('config'), layers: [foreign] }, imageType);
  expect(await copy(digest)).toBe('config'.length);
});

test('what breaks off is sent again, and what was sent before an interruption is not', async () => {
  const { digest } = image('b'.repeat(100_000));
  to.breaks = 2;
  expect(await copy(digest)).toBeGreaterThan(200_000);
  to.manifests.clear();
  to.blobs.delete(hash('base'));
  expect(await copy(digest)).toBe('base'.length);
});

test('a blob that is gone here is named, and no manifest is stored without it', async () => {
  const { digest } = image('gone');
  from.blobs.delete(hash('gone'));
  await expect(copy(digest)).rejects.toMatchObject({
    name: 'LockageError',
    message: expect.stringContaining(`no ${hash('gone')}`),
  });
  expect(to.manifests.size).toBe(0);
});

test('what the registry refuses is said', async () => {
  const { digest } = image('refused');
  to.elsewhere = 'http://127.0.0.1:9';
  await expect(copy(digest)).rejects.toMatchObject({
    message: expect.stringMatching(/^cannot reach the registry 127\./),
  });
  to.elsewhere = 'https://127.0.0.1:9/a b';
  await expect(copy(digest)).rejects.toMatchObject({ name: 'LockageError' });
});

test('whoever stops is not kept waiting', async () => {
  const { digest } = image('c');
  const reason = new Error('interrupted');
  await expect(copy(digest, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('the login is for the registry, and not for where it wants its blobs', async () => {
  const storage = new MemoryRegistry();
  const dockerConfig = await mkdtemp(join(tmpdir(), 'lockage-copy-'));
  try {
    const auth = Buffer.from('anna:secret').toString('base64');
    await writeFile(join(dockerConfig, 'config.json'), JSON.stringify({ auths: { [target]: { auth } } }));
    to.demands = `Basic ${auth}`;
    to.elsewhere = `http://${await storage.start()}`;
    const { digest } = image('d');
    // The storage keeps them to itself here, so the registry misses them.
    await expect(copy(digest, { dockerConfig })).rejects.toMatchObject({ message: expect.stringContaining('1.0.0') });
    expect(storage.blobs.size).toBe(3);
    expect(new Set(storage.logins)).toEqual(new Set(['nobody']));
    await expect(copy(digest, { dockerConfig: tmpdir() })).rejects.toMatchObject({
      hint: `Log in with \`docker login ${target}\`.`,
    });
  } finally {
    storage.stop();
    await rm(dockerConfig, { recursive: true, force: true });
  }
});
