import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { shortDigest, type Digest } from '../../pipelines/model/release.ts';
import type { PartDescriptor, RegistryClient } from './client.ts';
import { isDigest, parseReference } from './reference.ts';
import { pause } from './retry.ts';

/** How often a transfer goes on after it broke off without having got any further. */
const attempts = 4;
/** Milliseconds in which nothing of a blob comes. */
const defaultIdleTimeout = 120_000;

interface Waiting {
  readonly signal: AbortSignal;
  /** milliseconds in which nothing of a transfer comes, so that it has broken off; 120 s by default */
  readonly idleTimeout?: number;
}

/**
 * Yields a blob of a repository, and no byte more than its size. A transfer that breaks off or falls silent goes on where it did,
 * as long as it gets further. Throws LockageError when it does not, or what came is not what was asked for; what was yielded must
 * not be used then.
 */
export async function* blobStream(
  registry: RegistryClient,
  repository: string,
  { digest, size }: PartDescriptor,
  { signal, idleTimeout = defaultIdleTimeout }: Waiting,
): AsyncGenerator<Buffer> {
  if (!isDigest(digest)) throw new LockageError(`${repository} has a blob of no known kind: ${digest}`);
  const hash = createHash('sha256');
  let done = 0;
  for (let failed = 0; done < size;) {
    const from = done;
    try {
      for await (const bytes of partFrom(registry, repository, { digest, done }, { signal, idleTimeout })) {
        done += bytes.length;
        if (done > size) throw somethingElse(repository, digest);
        hash.update(bytes);
        yield bytes;
      }
      if (done < size) throw new Error('it ended before its end');
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LockageError) throw error;
      failed = done > from ? 1 : failed + 1;
      if (failed >= attempts) throw brokenOff(repository, digest, error);
      await sleep(pause(failed, undefined), undefined, { signal });
    }
  }
  if (`sha256:${hash.digest('hex')}` !== digest) throw somethingElse(repository, digest);
}

/** Asks for the rest of a blob; of a registry that sends all of it, what is known already is passed over. */
async function* partFrom(
  registry: RegistryClient,
  repository: string,
  { digest, done }: { readonly digest: Digest; readonly done: number },
  { signal, idleTimeout }: Required<Waiting>,
): AsyncGenerator<Buffer> {
  const headers: Record<string, string> = done === 0 ? {} : { Range: `bytes=${done}-` };
  const { status, body } = await registry.stream(repository, { method: 'GET', kind: 'blobs', digest, headers }, signal);
  if (status !== 200 && status !== 206) {
    body.destroy();
    throw new LockageError(`${parseReference(repository).registry} does not give ${shortDigest(digest)}: ${status}`, {
      hint: 'A clean-up of the registry may have removed it.',
    });
  }
  let known = status === 206 ? 0 : done;
  const idle = setTimeout(() => body.destroy(new Error(`nothing came for ${idleTimeout / 1000} s`)), idleTimeout);
  try {
    for await (const bytes of body as AsyncIterable<Buffer>) {
      idle.refresh();
      const rest = bytes.subarray(Math.min(known, bytes.length));
      known -= bytes.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  } finally {
    clearTimeout(idle);
  }
}

function somethingElse(repository: string, digest: Digest): LockageError {
  return new LockageError(`${parseReference(repository).registry} sent something else for ${shortDigest(digest)}`, {
    hint: 'The registry, or something between, changes what it stores: do not use it.',
  });
}

function brokenOff(repository: string, digest: string, error: unknown): LockageError {
  const { registry } = parseReference(repository);
  return new LockageError(`a transfer from the registry ${registry} broke off: ${messageOf(error)}`, {
    details: [`blob ${shortDigest(digest)} of ${repository}, ${attempts} times at the same byte`],
    hint: 'Try again; look for what cuts long transfers off between this machine and the registry.',
    cause: error,
  });
}
