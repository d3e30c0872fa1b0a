import { open } from 'node:fs/promises';
import { LockageError } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';
import { readConfiguration } from '../registry/answers.ts';
import { blobStream } from '../registry/blob-stream.ts';
import type { Descriptor } from '../registry/bundle/layout.ts';
import { imageOfSave } from '../registry/bundle/saved-image.ts';
import type { ImageToBundle } from '../registry/bundle/write-bundle.ts';
import type { Manifest, RegistryClient } from '../registry/client.ts';
import { parseReference } from '../registry/reference.ts';
import { writeDraft } from '../system/atomic-file.ts';
import { localName } from './images.ts';

/** The places where the images of a bundle are looked for. */
export interface ImageSources {
  readonly registry: RegistryClient;
  /** the engine at hand, connected when a registry does not give an image */
  engine(): Promise<Engine>;
  /** the bundle, beside which an image is kept for as long as it is written */
  readonly file: string;
  readonly signal: AbortSignal;
}

/** An image for a bundle, and where it was found. */
export interface FoundImage {
  readonly image: ImageToBundle;
  readonly from: 'registry' | 'engine';
  /** ends the reading of it */
  close(): Promise<void>;
}

/**
 * Finds an image with what it is made of: in its registry, else in the engine at hand. The content of its blobs is read when the
 * bundle is written. Throws LockageError, why its registry does not give it, when nobody has it.
 */
export async function findImage(sources: ImageSources, reference: string, platform: string): Promise<FoundImage> {
  const { registry, signal } = sources;
  try {
    const image = await imageFromRegistry(registry, reference, platform, signal);
    return { image, from: 'registry', close: () => Promise.resolve() };
  } catch (failure) {
    if (!(failure instanceof LockageError)) throw failure;
    const found = await imageFromEngine(sources, reference, platform).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof LockageError)) throw error;
      return error;
    });
    if (found && !(found instanceof LockageError)) return found;
    const here = found ? `does not give it: ${found.message}` : `does not have ${reference}`;
    throw new LockageError(`${failure.message}, and the engine here ${here}`, {
      details: failure.details,
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
      cause: failure,
    });
  }
}

async function imageFromRegistry(
  registry: RegistryClient,
  reference: string,
  platform: string,
  signal: AbortSignal,
): Promise<ImageToBundle> {
  const { repository, digest } = parseReference(reference);
  if (digest === undefined) throw new LockageError(`no registry had image ${reference} when it was first used`);
  const { root, manifest, config, layers } = await registry.parts(repository, digest, platform);
  const known = new Map([root, manifest].map((each) => [each.digest as string, each.bytes]));
  return {
    reference,
    root: descriptorOf(root),
    manifest: descriptorOf(manifest),
    config,
    layers,
    blob: (descriptor) => {
      const bytes = known.get(descriptor.digest);
      return bytes ? [bytes] : blobStream(registry, repository, descriptor, { signal });
    },
  };
}

function descriptorOf({ mediaType, digest, bytes }: Manifest): Descriptor {
  return { mediaType, digest, size: bytes.length };
}

/** Lets the engine write the image to a draft beside the bundle, and reads it there. Undefined where it does not have it; throws LockageError. */
async function imageFromEngine(
  { engine, file, signal }: ImageSources,
  reference: string,
  platform: string,
): Promise<FoundImage | undefined> {
  const { repository, digest } = parseReference(reference);
  const found = await engine();
  const name = digest === undefined ? reference : await localName(found, { repository, digest });
  if (name === undefined || !(await found.inspectImage(name))) return undefined;
  const draft = await writeDraft(file, found.saveImage(name, { signal }));
  const handle = await open(draft.file);
  const close = async () => {
    await handle.close();
    await draft.remove();
  };
  try {
    const image = await imageOfSave(handle, reference);
    await refuseOther(image, platform);
    return { image, from: 'engine', close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Throws LockageError where an image is for another platform: the engine at hand has those of this computer. */
async function refuseOther({ reference, config, blob }: ImageToBundle, platform: string): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const bytes of blob(config)) chunks.push(bytes);
  const { os, architecture } = readConfiguration('the engine', Buffer.concat(chunks));
  if (`${platform}/`.startsWith(`${os}/${architecture}/`)) return;
  throw new LockageError(`it has ${reference} for ${os}/${architecture} only, and not for ${platform}`);
}
