import { LockageError } from '../../pipelines/errors.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import { readManifest, type Described } from './answers.ts';
import type { Manifest, RegistryClient } from './client.ts';
import { isDigest } from './reference.ts';
import type { RegistryWriter } from './writer.ts';

/** An image that is to be copied to another repository, under a tag. */
export interface ImageCopy {
  readonly from: RegistryClient;
  readonly to: RegistryWriter;
  readonly repository: string;
  readonly digest: Digest;
  readonly target: string;
  readonly tag: string;
  /** of each blob that is sent: its bytes so far, and all of them */
  readonly onProgress?: (blob: Digest, current: number, total: number) => void;
}

/**
 * Copies an image or an index with all that it is made of, byte for byte, so that every digest stays. What is there already is
 * not sent again, so a copy that was interrupted goes on. Returns the bytes that were sent. Throws LockageError.
 */
export async function copyImage(copy: ImageCopy): Promise<number> {
  const manifest = await copy.from.manifest(copy.repository, copy.digest);
  const bytes = await copyParts(copy, manifest);
  await copy.to.putManifest(copy.target, copy.tag, manifest);
  return bytes;
}

/** Everything that a manifest names has to be there before it. */
async function copyParts(copy: ImageCopy, manifest: Manifest): Promise<number> {
  const { manifests, config, layers } = readManifest(copy.repository, manifest.bytes);
  let bytes = 0;
  for (const { digest } of manifests ?? []) {
    const part = await copy.from.manifest(copy.repository, checked(digest));
    bytes += await copyParts(copy, part);
    await copy.to.putManifest(copy.target, part.digest, part);
  }
  const blobs = [...(config ? [config] : []), ...(layers ?? [])].filter(({ urls }) => !urls || urls.length === 0);
  for (const blob of new Map(blobs.map((each) => [each.digest, each])).values()) bytes += await copyBlob(copy, blob);
  return bytes;
}

async function copyBlob(copy: ImageCopy, { digest: named, size }: Described): Promise<number> {
  const digest = checked(named);
  if (await copy.to.hasBlob(copy.target, digest)) return 0;
  const open = async (signal: AbortSignal) => {
    current = 0;
    const question = { method: 'GET', kind: 'blobs', digest, headers: {} } as const;
    const { status, body } = await copy.from.stream(copy.repository, question, signal);
    if (status === 200) return body;
    body.destroy();
    throw new LockageError(`the registry has no ${digest} of ${copy.repository}: ${status}`, {
      hint: 'A clean-up of the registry may have removed it: release that version anew under another number.',
    });
  };
  let current = 0;
  const onProgress = (bytes: number) => copy.onProgress?.(digest, (current += bytes), size);
  await copy.to.putBlob(copy.target, { digest, size, open, onProgress });
  return size;
}

function checked(digest: string): Digest {
  if (isDigest(digest)) return digest;
  throw new LockageError(`an image names ${JSON.stringify(digest)}, which is no digest of SHA-256`);
}
