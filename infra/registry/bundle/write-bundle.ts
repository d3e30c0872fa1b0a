import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { LockageError, messageOf } from '../../../pipelines/errors.ts';
import { imagesOf, textOfRecorded, type RecordedRevision } from '../../../pipelines/model/recorded-revision.ts';
import { removeLeftDrafts, streamAtomic } from '../../system/atomic-file.ts';
import { tarEnd, tarHeader, tarPadding } from '../../system/tar-file.ts';
import { Bundle } from './bundle.ts';
import { blobPath, smallFiles, sumsPath, sumsText, type BundledImage, type Descriptor } from './layout.ts';

/** An image, and where the content of its blobs comes from. */
export interface ImageToBundle extends BundledImage {
  /** yields a blob; throws LockageError when it is not to be had */
  blob(descriptor: Descriptor): AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** A bundle that was written. */
export interface WrittenBundle {
  /** names the whole content */
  readonly digest: string;
  readonly bytes: number;
  readonly images: readonly string[];
}

/**
 * Writes a bundle, as a whole or not at all, and reads it once more before it gets its name: an earlier file stays until then. The same
 * revision and images give the same bytes. Throws LockageError.
 */
export async function writeBundle(
  file: string,
  recorded: RecordedRevision,
  images: readonly ImageToBundle[],
  signal: AbortSignal,
): Promise<WrittenBundle> {
  refuseIncomplete(recorded, images);
  await removeLeftDrafts(file);
  let digest = '';
  const check = async (draft: string) => {
    const bundle = await Bundle.open(draft, signal);
    digest = bundle.digest;
    await bundle.close();
  };
  try {
    const bytes = await streamAtomic(file, (out) => writeAll(out, recorded, images, signal), check);
    return { digest, bytes, images: images.map(({ reference }) => reference) };
  } catch (error) {
    if (error instanceof LockageError || signal.aborted) throw error;
    throw new LockageError(`${file} cannot be written: ${messageOf(error)}`, { cause: error });
  }
}

function refuseIncomplete(recorded: RecordedRevision, images: readonly ImageToBundle[]): void {
  const missing = imagesOf(recorded).filter((image) => !images.some(({ reference }) => reference === image));
  if (missing.length > 0) throw new Error(`images of the bundle are missing: ${missing.join(', ')}`);
}

async function writeAll(
  out: Writable,
  recorded: RecordedRevision,
  images: readonly ImageToBundle[],
  signal: AbortSignal,
): Promise<number> {
  const sums = new Map<string, string>();
  let bytes = 0;
  const put = async (data: Buffer) => {
    signal.throwIfAborted();
    bytes += data.length;
    if (!out.write(data)) await once(out, 'drain', { signal });
  };
  const entry = async (path: string, size: number, content: AsyncIterable<Buffer> | Iterable<Buffer>) => {
    const hash = createHash('sha256');
    await put(tarHeader(path, size));
    for await (const data of content) {
      hash.update(data);
      await put(data);
    }
    await put(tarPadding(size));
    return hash.digest('hex');
  };
  const add = async (path: string, size: number, content: AsyncIterable<Buffer> | Iterable<Buffer>) =>
    void sums.set(path, await entry(path, size, content));
  for (const [path, text] of smallFiles(images, textOfRecorded(recorded))) {
    const content = Buffer.from(text);
    await add(path, content.length, [content]);
  }
  for (const [digest, { descriptor, image }] of blobsOf(images)) {
    await add(blobPath(digest), descriptor.size, image.blob(descriptor));
  }
  const list = Buffer.from(sumsText(sums));
  await entry(sumsPath, list.length, [list]);
  await put(tarEnd);
  return bytes;
}

/** Returns all blobs, each once, by their digests in order: so that equal images give equal bytes. */
function blobsOf(images: readonly ImageToBundle[]) {
  const all = images.flatMap((image) =>
    [image.root, image.manifest, image.config, ...image.layers].map((descriptor) => ({ descriptor, image })),
  );
  const sorted = all.toSorted((a, b) => (a.descriptor.digest < b.descriptor.digest ? -1 : 1));
  return new Map(sorted.map((each) => [each.descriptor.digest, each] as const));
}
