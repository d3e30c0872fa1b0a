import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { LockageError, messageOf } from '../../../pipelines/errors.ts';
import { recordedOf } from '../../../pipelines/model/read-recorded.ts';
import { imagesOf, type RecordedRevision } from '../../../pipelines/model/recorded-revision.ts';
import {
  contentOf,
  tarEnd,
  tarEntries,
  TarError,
  tarHeader,
  tarPadding,
  type TarEntry,
} from '../../system/tar-file.ts';
import { parseReference } from '../reference.ts';
import {
  dockerEntriesOf,
  LayoutError,
  layersOfConfiguration,
  layoutIndexOf,
  manifestPartsOf,
  type LayoutIndex,
} from './read-layout.ts';
import {
  blobPath,
  dockerPath,
  imageNameKey,
  indexPath,
  layoutPath,
  layoutText,
  loadedName,
  recordPath,
  sha256,
  sumsPath,
  sumsText,
  type DockerEntry,
} from './layout.ts';

/** The largest of a bundle's own files that is read as a whole: bytes. */
const largestOwn = 32 * 2 ** 20;

/** An image of a bundle, on its way into an engine. */
export interface ImageArchive {
  /** the name that it will have there */
  readonly name: string;
  /** hashes of the unpacked layers, lowest first: what engines know layers by */
  readonly layers: readonly string[];
  /** bytes of the layers, without the lowest `skipped` ones, which the engine has */
  bytes(skipped: number): number;
  /** the archive that `docker load` takes, without them */
  read(skipped: number): AsyncGenerator<Buffer>;
  /** the same as an image layout, for an engine that keeps images as registries send them: it has the same digest there */
  readLayout(): AsyncGenerator<Buffer>;
}

/** A file with a recorded revision and all its images, of which every byte was checked. */
export class Bundle {
  readonly file: string;
  /** names the whole content: `sha256:…` */
  readonly digest: string;
  readonly recorded: RecordedRevision;
  readonly #handle: FileHandle;
  readonly #entries: ReadonlyMap<string, TarEntry>;
  readonly #images: readonly DockerEntry[];
  readonly #index: LayoutIndex;

  private constructor(file: string, handle: FileHandle, { entries, own, digest }: Checked) {
    this.file = file;
    this.digest = digest;
    this.recorded = recordedOf(own(recordPath), file);
    this.#handle = handle;
    this.#entries = entries;
    this.#images = this.#readAs(dockerPath, dockerEntriesOf, own(dockerPath));
    this.#index = this.#readAs(indexPath, layoutIndexOf, own(indexPath));
    this.#refuseIncomplete();
  }

  /**
   * Opens a bundle once all of it was read and compared with its hashes. Throws LockageError (refused), by the file's name, for
   * one that cannot be read, is none, is cut short, or is not what it was when it was written.
   */
  static async open(file: string, signal?: AbortSignal): Promise<Bundle> {
    const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
      throw notReadable(file, error.code === 'ENOENT' ? 'there is no such file' : messageOf(error));
    });
    try {
      if (!(await handle.stat()).isFile()) throw notReadable(file, 'it is no file');
      return new Bundle(file, handle, await checked(file, handle, signal));
    } catch (error) {
      await handle.close();
      if (error instanceof TarError) throw notWhole(file, error.message);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** Returns an image; undefined when the bundle does not have it. */
  async image(reference: string): Promise<ImageArchive | undefined> {
    const name = nameOf(reference);
    const found = this.#images.find(({ RepoTags }) => name !== undefined && RepoTags.includes(name));
    if (!found || name === undefined) return undefined;
    const config = (await this.#content(found.Config)).toString('utf8');
    const sizes = found.Layers.map((path) => this.#entry(path).size);
    return {
      name,
      layers: this.#readAs(found.Config, layersOfConfiguration, config),
      bytes: (skipped) => sizes.slice(skipped).reduce((sum, size) => sum + size, 0),
      read: (skipped) => this.#archive(found, skipped),
      readLayout: () => this.#layout(name),
    };
  }

  async *#archive(image: DockerEntry, skipped: number): AsyncGenerator<Buffer> {
    yield* textEntry(dockerPath, JSON.stringify([image]));
    yield* this.#entriesOf([image.Config, ...image.Layers.slice(skipped)]);
    yield tarEnd;
  }

  async *#layout(name: string): AsyncGenerator<Buffer> {
    const manifests = this.#index.manifests.filter(({ annotations }) => annotations?.[imageNameKey] === name);
    yield* textEntry(layoutPath, layoutText);
    yield* textEntry(indexPath, JSON.stringify({ ...this.#index, manifests }));
    for (const { digest } of manifests) yield* this.#entriesOf(await this.#blobsBelow(digest));
    yield tarEnd;
  }

  /** Returns the paths of a manifest and of all that it is made of; of an index, of those of its manifests that are here. */
  async #blobsBelow(digest: string): Promise<string[]> {
    const path = blobPath(digest);
    const named = this.#readAs(path, manifestPartsOf, (await this.#content(path)).toString('utf8'));
    const there = named.below.filter((each) => this.#entries.has(blobPath(each)));
    const below = await Promise.all(there.map((each) => this.#blobsBelow(each)));
    return [path, ...named.own.map(blobPath), ...below.flat()];
  }

  /** Reads one of its files. Somebody may have written it with hashes that fit. */
  #readAs<T>(path: string, read: (text: string) => T, text: string): T {
    try {
      return read(text);
    } catch (error) {
      throw error instanceof LayoutError
        ? notWhole(this.file, `${path} is not as it has to be: ${error.message}`)
        : error;
    }
  }

  async *#entriesOf(all: readonly string[]): AsyncGenerator<Buffer> {
    // One layer may be there twice, as empty ones are.
    for (const path of new Set(all)) {
      const entry = this.#entry(path);
      yield tarHeader(path, entry.size);
      yield* this.#read(entry);
      yield tarPadding(entry.size);
    }
  }

  async #content(path: string): Promise<Buffer> {
    const entry = this.#entry(path);
    if (entry.size > largestOwn) throw notWhole(this.file, `${path} is too large`);
    const chunks: Buffer[] = [];
    for await (const bytes of this.#read(entry)) chunks.push(bytes);
    return Buffer.concat(chunks);
  }

  /** Somebody may have written over it since it was checked. */
  async *#read(entry: TarEntry): AsyncGenerator<Buffer> {
    try {
      yield* contentOf(this.#handle, entry);
    } catch (error) {
      throw error instanceof TarError ? notWhole(this.file, error.message) : error;
    }
  }

  #entry(path: string): TarEntry {
    const found = this.#entries.get(path);
    if (found) return found;
    throw notWhole(this.file, `${path} is not in it`);
  }

  #refuseIncomplete(): void {
    for (const { Config, Layers } of this.#images) for (const path of [Config, ...Layers]) this.#entry(path);
    const has = (reference: string) => this.#images.some(({ RepoTags }) => RepoTags.includes(nameOf(reference) ?? ''));
    const missing = imagesOf(this.recorded).find((reference) => !has(reference));
    if (missing !== undefined) throw notWhole(this.file, `image ${missing} is not in it`);
  }
}

function textEntry(path: string, text: string): Buffer[] {
  const content = Buffer.from(text);
  return [tarHeader(path, content.length), content, tarPadding(content.length)];
}

function nameOf(reference: string): string | undefined {
  return parseReference(reference).digest === undefined ? undefined : loadedName(reference);
}

/** The content of a file that was found to be whole. */
interface Checked {
  readonly entries: ReadonlyMap<string, TarEntry>;
  /** returns one of its own files as text */
  own(path: string): string;
  readonly digest: string;
}

/** Reads a file to its end, and compares every hash. */
async function checked(file: string, handle: FileHandle, signal: AbortSignal | undefined): Promise<Checked> {
  const entries = new Map<string, TarEntry>();
  const sums = new Map<string, string>();
  const texts = new Map<string, string>();
  let listed: string | undefined;
  for await (const entry of tarEntries(handle)) {
    const isOdd = entry.target !== undefined || entries.has(entry.path);
    if (listed !== undefined || isOdd) throw notWhole(file, `${entry.path} does not belong there`);
    const keeps = !entry.path.startsWith('blobs/') && entry.size <= largestOwn;
    const { sum, text } = await hashed(handle, entry, keeps, signal);
    if (entry.path === sumsPath) listed = text;
    else sums.set(entry.path, sum);
    const digest = /^blobs\/sha256\/(.*)$/.exec(entry.path)?.[1];
    if (digest !== undefined && digest !== sum) throw notWhole(file, `${blobPath(`sha256:${digest}`)} was changed`);
    entries.set(entry.path, entry);
    if (text !== undefined) texts.set(entry.path, text);
  }
  if (![...texts.keys()].includes(recordPath)) throw notReadable(file, 'it is an archive of something else');
  if (listed === undefined) throw notWhole(file, `its last part, ${sumsPath}, is missing`);
  if (listed !== sumsText(sums)) throw notWhole(file, differenceOf(listed, sums));
  return { entries, own: (path) => texts.get(path) ?? '', digest: `sha256:${sha256(listed)}` };
}

async function hashed(handle: FileHandle, entry: TarEntry, keeps: boolean, signal: AbortSignal | undefined) {
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  for await (const bytes of contentOf(handle, entry)) {
    signal?.throwIfAborted();
    hash.update(bytes);
    if (keeps) kept.push(bytes);
  }
  return { sum: hash.digest('hex'), ...(keeps ? { text: Buffer.concat(kept).toString('utf8') } : {}) };
}

/** Names the first part that is not as it is listed. */
function differenceOf(listed: string, sums: ReadonlyMap<string, string>): string {
  const wanted = new Map(listed.split('\n').map((line) => [line.slice(66), line.slice(0, 64)] as const));
  const changed = [...sums].find(([path, sum]) => wanted.get(path) !== sum)?.[0];
  if (changed !== undefined) return `${changed} was changed`;
  const missing = [...wanted.keys()].find((path) => path !== '' && !sums.has(path));
  return missing === undefined ? `${sumsPath} was changed` : `${missing} is missing`;
}

function notReadable(file: string, why: string): LockageError {
  return new LockageError(`${file} is no bundle: ${why}`, { hint: 'Name a file that `lockage bundle` wrote.' });
}

function notWhole(file: string, why: string): LockageError {
  return new LockageError(`${file} is not as it was written: ${why}`, {
    details: ['nothing was changed here'],
    hint: 'Copy the file once more from where it was made, or make it again with `lockage bundle`.',
  });
}
