/** An image as engines write it: an archive of `docker save`. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import { list, or, record, text } from '../../system/shapes.ts';
import { contentOf, tarEntries, type TarEntry } from '../../system/tar-file.ts';
import { readManifest } from '../answers.ts';
import { parseReference } from '../reference.ts';
import { blobPath, dockerPath, indexPath, sha256, type Descriptor, type DockerEntry } from './layout.ts';
import type { ImageToBundle } from './write-bundle.ts';

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** The parts of an image, and where their content is. */
interface SavedParts {
  readonly root: Descriptor;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly content: ReadonlyMap<string, TarEntry | Buffer>;
}

/**
 * Returns the one image of an archive. Its configuration is that of the original. So is its manifest where the engine keeps it, as with
 * containerd's image store, and layers are as that says; other engines keep none: it gets another one, of layers that are not compressed.
 * An image that was recorded by a tag gets a reference by its manifest. Throws LockageError, or TarError.
 */
export async function imageOfSave(file: FileHandle, reference: string): Promise<ImageToBundle> {
  const archive = await Archive.open(file, reference);
  const image = savedEntry(await archive.text(dockerPath));
  if (!image) throw new LockageError(`the engine wrote no image for ${reference}`);
  const { repository, digest } = parseReference(reference);
  const { content, ...parts } = (await keptParts(archive, image, digest)) ?? (await madeParts(archive, image));
  return {
    reference: digest === undefined ? `${repository}@${parts.manifest.digest}` : reference,
    ...parts,
    blob: ({ digest: wanted }) => {
      const found = content.get(wanted);
      if (!found) throw new Error(`${reference} has no blob ${wanted}`);
      return Buffer.isBuffer(found) ? [found] : contentOf(file, found);
    },
  };
}

/** The files of an archive, by their paths. */
class Archive {
  readonly #file: FileHandle;
  readonly #entries: ReadonlyMap<string, TarEntry>;
  readonly #reference: string;

  private constructor(file: FileHandle, entries: ReadonlyMap<string, TarEntry>, reference: string) {
    this.#file = file;
    this.#entries = entries;
    this.#reference = reference;
  }

  static async open(file: FileHandle, reference: string): Promise<Archive> {
    const entries = new Map<string, TarEntry>();
    for await (const entry of tarEntries(file)) entries.set(entry.path, entry);
    return new Archive(file, entries, reference);
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** Throws LockageError where it has none. */
  entry(path: string): TarEntry {
    const found = this.#entries.get(path);
    // A layer that is the same as another one is a link to it.
    if (found?.target !== undefined) return this.entry(posix.join(posix.dirname(path), found.target));
    if (found) return found;
    throw new LockageError(`the engine wrote image ${this.#reference} without ${path}`);
  }

  async text(path: string): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const bytes of contentOf(this.#file, this.entry(path))) chunks.push(bytes);
    return Buffer.concat(chunks).toString('utf8');
  }

  async digest(path: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const bytes of contentOf(this.#file, this.entry(path))) hash.update(bytes);
    return `sha256:${hash.digest('hex')}`;
  }
}

type SavedEntry = Pick<DockerEntry, 'Config' | 'Layers'>;

/** Describes an image by what the archive has of it. */
async function madeParts(archive: Archive, image: SavedEntry): Promise<SavedParts> {
  const content = new Map<string, TarEntry | Buffer>();
  const describe = async (path: string, mediaType: string): Promise<Descriptor> => {
    const [entry, digest] = [archive.entry(path), await archive.digest(path)];
    content.set(digest, entry);
    return { mediaType, digest, size: entry.size };
  };
  const config = await describe(image.Config, types.config);
  const layers: Descriptor[] = [];
  for (const path of image.Layers) layers.push(await describe(path, types.layer));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.manifest, config, layers }));
  const manifest = { mediaType: types.manifest, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  content.set(manifest.digest, bytes);
  return { root: manifest, manifest, config, layers, content };
}

/** Describes an image by its manifest in the archive; undefined where that has none. `wanted`: the digest that is recorded. */
async function keptParts(archive: Archive, image: SavedEntry, wanted?: string): Promise<SavedParts | undefined> {
  if (!archive.has(indexPath)) return undefined;
  const way = await wayTo(image.Config, await archive.text(indexPath), archive);
  const manifest = way?.at(-1);
  if (!way || !manifest) return undefined;
  const { config, layers } = readManifest('the engine', Buffer.from(await archive.text(blobPath(manifest.digest))));
  if (!config) return undefined;
  const root = way.find(({ digest }) => digest === wanted) ?? manifest;
  const parts = { root, manifest, config, layers: layers ?? [] };
  const all = [root, manifest, config, ...parts.layers];
  return { ...parts, content: new Map(all.map(({ digest }) => [digest, archive.entry(blobPath(digest))])) };
}

/** Indexes lead to manifests, and hardly ever to another index. */
const deepest = 4;

/** Returns the descriptors that lead to the manifest of a configuration, its own last: of those alone that the archive has. */
async function wayTo(
  config: string,
  index: string,
  archive: Archive,
  depth = deepest,
): Promise<readonly Descriptor[] | undefined> {
  for (const { mediaType, digest, size } of readManifest('the engine', Buffer.from(index)).manifests ?? []) {
    const path = blobPath(digest);
    if (depth === 0 || !archive.has(path)) continue;
    const found = await archive.text(path);
    const read = readManifest('the engine', Buffer.from(found));
    if (read.config && blobPath(read.config.digest) === config) return [{ mediaType, digest, size }];
    const below = await wayTo(config, found, archive, depth - 1);
    if (below) return [{ mediaType, digest, size }, ...below];
  }
  return undefined;
}

const saved = list(record({ Config: text, Layers: or(list(text), []) }));

/** Returns the first image that an archive describes; undefined where it describes none. */
function savedEntry(written: string): SavedEntry | undefined {
  try {
    return (saved(JSON.parse(written), 'it') as readonly DockerEntry[])[0];
  } catch {
    return undefined;
  }
}
