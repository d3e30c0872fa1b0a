import { createHash, randomBytes, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** A repository in a registry, and how to log in to it. */
export interface Place {
  readonly registry: string;
  readonly name: string;
  readonly authorization?: string;
}

export interface Layer {
  readonly file: string;
  /** of the file, and of the archive in it */
  readonly digest: string;
  readonly diff: string;
  readonly size: number;
}

interface Manifest {
  readonly mediaType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What engines push: one that leaves its images to containerd, and any other. */
export const manifestTypes = {
  oci: 'application/vnd.oci.image.manifest.v1+json',
  docker: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;
const chunk = 8 * 2 ** 20;

/** Makes a layer with one file of that many random mebibytes, a multiple of eight, without having it in memory. */
export async function makeLayer(file: string, mebibytes: number): Promise<Layer> {
  const bytes = mebibytes * 2 ** 20;
  const archive = function* () {
    yield tarHeader('ballast', bytes);
    for (let written = 0; written < bytes; written += chunk) yield randomBytes(chunk);
    yield Buffer.alloc(1024);
  };
  const [diff, digest] = [createHash('sha256'), createHash('sha256')];
  let size = 0;
  const count = (data: Buffer) => void (size += data.length);
  await pipeline(
    Readable.from(archive()),
    seen(diff),
    createGzip({ level: 0 }),
    seen(digest, count),
    createWriteStream(file),
  );
  return { file, size, diff: `sha256:${diff.digest('hex')}`, digest: `sha256:${digest.digest('hex')}` };
}

/** Copies an image to another repository, with one more layer if there is one. Returns its digest there. */
export async function copyImage(from: Place, tag: string, to: Place, layer?: Layer): Promise<string> {
  const manifest = JSON.parse((await read(from, `manifests/${tag}`)).toString()) as Manifest;
  const config = JSON.parse((await read(from, `blobs/${manifest.config.digest}`)).toString());
  for (const { digest } of manifest.layers) await write(to, digest, await read(from, `blobs/${digest}`));
  const layers = [...manifest.layers];
  if (layer) {
    await write(to, layer.digest, Readable.toWeb(createReadStream(layer.file)));
    const { mediaType = '' } = layers[0] ?? {};
    layers.push({ mediaType, digest: layer.digest, size: layer.size });
    config.rootfs.diff_ids.push(layer.diff);
    config.history?.push({ created_by: 'ballast' });
  }
  const content = Buffer.from(JSON.stringify(config));
  await write(to, digestOf(content), content);
  const described = { ...manifest.config, digest: digestOf(content), size: content.length };
  const body = Buffer.from(JSON.stringify({ ...manifest, config: described, layers }));
  await ask(to, `manifests/${tag}`, {
    method: 'PUT',
    headers: { 'Content-Type': manifest.mediaType ?? manifestTypes.oci },
    body,
  });
  return digestOf(body);
}

async function read(place: Place, path: string): Promise<Buffer> {
  return Buffer.from(
    await (await ask(place, path, { headers: { Accept: Object.values(manifestTypes).join(', ') } })).arrayBuffer(),
  );
}

async function write(place: Place, digest: string, body: Buffer | ReadableStream): Promise<void> {
  const begun = await ask(place, 'blobs/uploads/', { method: 'POST' });
  const at = new URL(begun.headers.get('location') ?? '', `http://${place.registry}`);
  at.searchParams.set('digest', digest);
  await ask(place, at, { method: 'PUT', body, duplex: 'half' });
}

async function ask(
  { registry, name, authorization }: Place,
  path: string | URL,
  init: RequestInit & { duplex?: 'half' },
): Promise<Response> {
  const url = path instanceof URL ? path : new URL(`http://${registry}/v2/${name}/${path}`);
  const headers = { ...(init.headers as object), ...(authorization === undefined ? {} : { authorization }) };
  const answer = await fetch(url, { ...init, headers });
  if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${url.pathname}: ${answer.status} ${await answer.text()}`);
  return answer;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function seen(hash: Hash, also?: (data: Buffer) => void): Transform {
  return new Transform({
    transform(data: Buffer, _encoding, done) {
      hash.update(data);
      also?.(data);
      done(null, data);
    },
  });
}

function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const fields: [number, string][] = [
    [0, name],
    [100, '0000644\0'],
    [108, '0000000\0'],
    [116, '0000000\0'],
    [124, `${size.toString(8).padStart(11, '0')}\0`],
    [136, '00000000000\0'],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\u000000'],
  ];
  for (const [at, text] of fields) header.write(text, at, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}
