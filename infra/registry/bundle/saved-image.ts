/** An image as engines write it: an archive of `docker save`. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import { list, or, record, text } from '../../system/shapes.ts';
import { contentOf, tarEntries, type TarEntry } from '../../system/tar-file.ts';
import { parseReference } from '../reference.ts';
import { dockerPath, sha256, type Descriptor, type DockerEntry } from './layout.ts';
import type { ImageToBundle } from './write-bundle.ts';

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/**
 * Returns the one image of an archive, whose layers are not compressed. Its configuration, by which engines name an image, is that of
 * the original; its manifest is another one, as engines keep none. An image that was recorded by a tag gets a reference by that
 * manifest. Throws LockageError, or TarError.
 */
export async function imageOfSave(file: FileHandle, reference: string): Promise<ImageToBundle> {
  const entries = new Map<string, TarEntry>();
  for await (const entry of tarEntries(file)) entries.set(entry.path, entry);
  const entryAt = (path: string): TarEntry => {
    const found = entries.get(path);
    // A layer that is the same as another one is a link to it.
    if (found?.target !== undefined) return entryAt(posix.join(posix.dirname(path), found.target));
    if (found) return found;
    throw new LockageError(`the engine wrote image ${reference} in a way that is not known: ${path} is missing`);
  };
  const image = savedEntry(await textOf(file, entryAt(dockerPath)));
  if (!image) throw new LockageError(`the engine wrote no image for ${reference}`);
  const content = new Map<string, TarEntry>();
  const describe = async (path: string, mediaType: string): Promise<Descriptor> => {
    const entry = entryAt(path);
    const digest = await digestOf(file, entry);
    content.set(digest, entry);
    return { mediaType, digest, size: entry.size };
  };
  const config = await describe(image.Config, types.config);
  const layers: Descriptor[] = [];
  for (const path of image.Layers) layers.push(await describe(path, types.layer));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, config, layers }));
  const manifest = { mediaType: types.manifest, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  const { repository, digest } = parseReference(reference);
  return {
    reference: digest === undefined ? `${repository}@${manifest.digest}` : reference,
    root: manifest,
    manifest,
    config,
    layers,
    blob: ({ digest: wanted }) => {
      const entry = content.get(wanted);
      return entry ? contentOf(file, entry) : [bytes];
    },
  };
}

const saved = list(record({ Config: text, Layers: or(list(text), []) }));

/** Returns the first image that an archive describes; undefined where it describes none. */
function savedEntry(written: string): Pick<DockerEntry, 'Config' | 'Layers'> | undefined {
  try {
    return (saved(JSON.parse(written), 'it') as readonly DockerEntry[])[0];
  } catch {
    return undefined;
  }
}

async function textOf(file: FileHandle, entry: TarEntry): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const bytes of contentOf(file, entry)) chunks.push(bytes);
  return Buffer.concat(chunks).toString('utf8');
}

async function digestOf(file: FileHandle, entry: TarEntry): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of contentOf(file, entry)) hash.update(bytes);
  return `sha256:${hash.digest('hex')}`;
}
