import { once } from 'node:events';
import { mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from '../../../infra/docker/api/client.ts';
import { findImage } from '../../../infra/hosts/bundle-images.ts';
import { ensureImage } from '../../../infra/hosts/images.ts';
import { Bundle } from '../../../infra/registry/bundle/bundle.ts';
import type { Descriptor } from '../../../infra/registry/bundle/layout.ts';
import { imageOfSave } from '../../../infra/registry/bundle/saved-image.ts';
import { writeBundle } from '../../../infra/registry/bundle/write-bundle.ts';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { tarEnd, tarEntries, tarHeader, tarPadding } from '../../../infra/system/tar-file.ts';
import { imageByDigest } from '../../../pipelines/model/release.ts';
import { host } from '../../pipelines/model/values.ts';
import { digestOf, recordedWith, testImage } from '../registry/values.ts';

const own = testImage('base', 'the application');
const edge = testImage('base', 'the proxy');
const recorded = recordedWith(own, edge);
const signal = new AbortController().signal;
const registry = new RegistryClient();

let folder: string;
let server: Server;
let engine: Engine;
/** what the engine has, and was sent */
let answers: Record<string, unknown>;
let loaded: Buffer | undefined;
let said: unknown;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-load-'));
  [loaded, said] = [undefined, { stream: 'Loaded image' }];
  answers = {
    '/version': { ApiVersion: '1.41' },
    '/info': { Driver: 'overlay2' },
    '/images/json': [{ Id: 'sha256:0a', Size: 1, RepoTags: ['other:1'] }],
    '/images/sha256%3A0a/json': { RootFS: { Layers: ['base', 'another'].map(digestOf) } },
  };
  server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '', 'http://engine').pathname.replace(/^\/v1\.41/, '');
    if (path === '/images/load') {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      loaded = Buffer.concat(chunks);
      return response.end(JSON.stringify(said));
    }
    const found = answers[path];
    response.writeHead(found === undefined ? 404 : 200);
    return response.end(Buffer.isBuffer(found) ? found : JSON.stringify(found ?? { message: 'no such image' }));
  });
  const socketPath = join(folder, 'docker.sock');
  server.listen(socketPath);
  await once(server, 'listening');
  engine = new Engine({ host: 'here', socketPath });
});

afterEach(async () => {
  engine.close();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

async function bundle(): Promise<Bundle> {
  const file = join(folder, 'prod.lockage');
  const images = [own.toBundle(imageByDigest(recorded.release)), edge.toBundle(recorded.edge.image)];
  await writeBundle(file, recorded, images, signal);
  return Bundle.open(file);
}

const load = (from: Bundle) => {
  const session = { connections: { engine: async () => engine } as never, bundle: from, signal };
  return ensureImage({ session, registry }, { registry: { through: 'network' } }, host('here'), recorded.release);
};

async function pathsIn(archive: Buffer): Promise<string[]> {
  const file = join(folder, 'read.tar');
  await writeFile(file, archive);
  const handle = await open(file);
  const paths: string[] = [];
  for await (const { path } of tarEntries(handle)) paths.push(path);
  await handle.close();
  return paths;
}

const blob = (index: number) => `blobs/${[...own.blobs.keys()][index]?.replace(':', '/')}`;
const sizeOf = (index: number) => [...own.blobs.values()][index]?.length;

test('an image of a bundle is given to an engine without the layers that it has', async () => {
  const from = await bundle();
  expect(await load(from)).toBe(sizeOf(3));
  expect(await pathsIn(loaded ?? Buffer.alloc(0))).toEqual(['manifest.json', blob(0), blob(3)]);
  await from.close();
});

test('an engine that keeps images as registries send them gets all of it', async () => {
  answers['/info'] = { Driver: 'overlayfs', DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']] };
  const from = await bundle();
  expect(await load(from)).toBe((sizeOf(2) ?? 0) + (sizeOf(3) ?? 0));
  const paths = await pathsIn(loaded ?? Buffer.alloc(0));
  expect(paths).toEqual(['oci-layout', 'index.json', blob(1), blob(0), blob(2), blob(3)]);
  // Under the name that is looked for, and with the digest of the original.
  const [index = ''] = /\{"manifests":\[[^\]]*\]/.exec(loaded?.toString('latin1') ?? '') ?? [];
  expect([...index.matchAll(/"digest":"([^"]*)"/g)].map(([, digest]) => digest)).toEqual([own.digest]);
  expect(index).toContain(`registry.example.com/shop:${own.digest.replace(':', '-')}`);
  await from.close();
});

test('an engine that tells nothing of an image’s layers gets all of them', async () => {
  const from = await bundle();
  for (const told of [{}, { RootFS: null }, { RootFS: { Type: 'layers' } }, { RootFS: { Layers: null } }]) {
    answers['/images/sha256%3A0a/json'] = told;
    expect(await load(from)).toBe((sizeOf(2) ?? 0) + (sizeOf(3) ?? 0));
  }
  await from.close();
});

test('an image that the engine has is not sent', async () => {
  const name = `registry.example.com/shop:${own.digest.replace(':', '-')}`;
  answers[`/images/${name.split('/').map(encodeURIComponent).join('/')}/json`] = { Id: 'sha256:1' };
  const from = await bundle();
  expect([await load(from), loaded]).toEqual([0, undefined]);
  await from.close();
});

test('a failure that an engine tells inside its answer is one, and so is a file that became shorter', async () => {
  const from = await bundle();
  said = { errorDetail: { message: 'no space left on device' }, error: 'no space left on device' };
  await expect(load(from)).rejects.toThrow(/load image .*: no space left on device$/);
  await truncate(from.file, 4096);
  await expect(load(from)).rejects.toThrow(/prod.lockage is not as it was written: it ends in the middle of/);
  await from.close();
});

/** An archive as `docker save` of 20.10 writes it, in which the second layer is the same as the first. */
function saved(): Buffer {
  const layer = Buffer.from('layer');
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', rootfs: { diff_ids: [digestOf(layer), digestOf(layer)] } }),
  );
  const id = digestOf(config).slice(7);
  const manifest = [{ Config: `${id}.json`, RepoTags: null, Layers: ['a/layer.tar', 'b/layer.tar'] }];
  const link = tarHeader('b/layer.tar', 0);
  link.write('2', 156);
  link.write('../a/layer.tar', 157);
  // The sum of the header's bytes, which it has changed.
  link.fill(' ', 148, 156);
  const sum = link.reduce((total, byte) => total + byte, 0);
  link.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  const file = (path: string, content: Buffer) => [
    ...[tarHeader(path, content.length), content, tarPadding(content.length)],
  ];
  const text = Buffer.from(JSON.stringify(manifest));
  return Buffer.concat([
    ...file('a/layer.tar', layer),
    link,
    ...file(`${id}.json`, config),
    ...file('manifest.json', text),
    tarEnd,
  ]);
}

test('an image that no registry gives is taken from the engine, under its own configuration', async () => {
  const away = createServer((_request, response) => response.writeHead(404).end());
  away.listen(0, '127.0.0.1');
  await once(away, 'listening');
  const repository = `127.0.0.1:${(away.address() as AddressInfo).port}/shop`;
  const reference = `${repository}@sha256:${'7'.repeat(64)}`;
  const file = join(folder, 'prod.lockage');
  const sources = { registry, engine: async () => engine, file, signal };
  await expect(findImage(sources, reference, 'linux/amd64')).rejects.toThrow(
    new RegExp(`and the engine here does not have ${reference}$`),
  );
  const path = reference.split('/').map(encodeURIComponent).join('/');
  answers[`/images/${path}/json`] = { Id: 'sha256:1' };
  answers[`/images/${path}/get`] = saved();
  const found = await findImage(sources, reference, 'linux/amd64');
  expect([found.from, found.image.reference, found.image.layers.length]).toEqual(['engine', reference, 2]);
  expect(found.image.layers.map(({ digest }) => digest)).toEqual([digestOf('layer'), digestOf('layer')]);
  await expect(findImage(sources, reference, 'linux/arm64')).rejects.toThrow(
    /and the engine here does not give it: it has .* for linux\/amd64 only, and not for linux\/arm64$/,
  );
  const drafts = () => readdir(folder).then((names) => names.filter((name) => name.endsWith('.draft')));
  expect(await drafts()).toHaveLength(1);
  await found.close();
  expect(await drafts()).toEqual([]);
  away.close();
});

test('an image that was recorded by a tag gets a reference by its digest', async () => {
  const file = join(folder, 'saved.tar');
  await writeFile(file, saved());
  const handle = await open(file);
  const image = await imageOfSave(handle, 'registry.example.com/edge:2');
  expect(image.reference).toBe(`registry.example.com/edge@${image.manifest.digest}`);
  await handle.close();
});

/** An archive as engines write it that keep images as registries send them: their manifests, and layers as they came. */
function savedWithManifests(): { archive: Buffer; index: string; manifest: string; layer: string } {
  const layer = gzipSync('layer');
  const config = Buffer.from(JSON.stringify({ rootfs: { diff_ids: [digestOf('layer')] } }));
  const described = (mediaType: string, content: Buffer) => ({
    ...{ mediaType, digest: digestOf(content), size: content.length },
  });
  const oci = 'application/vnd.oci.image';
  const layers = [described(`${oci}.layer.v1.tar+gzip`, layer)];
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: described(`${oci}.config.v1+json`, config), layers }),
  );
  // The first is for a platform that the engine has nothing of.
  const other = { mediaType: `${oci}.manifest.v1+json`, digest: digestOf('arm'), size: 3 };
  const several = Buffer.from(
    JSON.stringify({ schemaVersion: 2, manifests: [other, described(`${oci}.manifest.v1+json`, manifest)] }),
  );
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, manifests: [described(`${oci}.index.v1+json`, several)] }),
  );
  const at = (content: Buffer) => `blobs/${digestOf(content).replace(':', '/')}`;
  const docker = Buffer.from(JSON.stringify([{ Config: at(config), RepoTags: null, Layers: [at(layer)] }]));
  const blobs = [layer, config, manifest, several].map((content): [string, Buffer] => [at(content), content]);
  const files: [string, Buffer][] = [...blobs, ['index.json', index], ['manifest.json', docker]];
  const parts = files.flatMap(([path, content]) => [
    ...[tarHeader(path, content.length), content, tarPadding(content.length)],
  ]);
  const [found, kept, unpacked] = [several, manifest, layer].map((content) => digestOf(content));
  return {
    archive: Buffer.concat([...parts, tarEnd]),
    index: found ?? '',
    manifest: kept ?? '',
    layer: unpacked ?? '',
  };
}

test.each([
  ['the index that is recorded', (made: ReturnType<typeof savedWithManifests>) => made.index],
  ['the manifest that is recorded', (made: ReturnType<typeof savedWithManifests>) => made.manifest],
])('an image that the engine keeps as a registry sent it is bundled by %s', async (_name, digestFrom) => {
  const made = savedWithManifests();
  const file = join(folder, 'saved.tar');
  await writeFile(file, made.archive);
  const handle = await open(file);
  const reference = `registry.example.com/shop@${digestFrom(made)}`;
  const image = await imageOfSave(handle, reference);
  expect(image).toMatchObject({
    reference,
    root: { digest: digestFrom(made) },
    manifest: { digest: made.manifest },
    layers: [{ digest: made.layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }],
  });
  const [layer] = image.layers;
  const content: Buffer[] = [];
  for await (const bytes of image.blob(layer as Descriptor)) content.push(bytes);
  expect(gunzipSync(Buffer.concat(content)).toString()).toBe('layer');
  await handle.close();
});
