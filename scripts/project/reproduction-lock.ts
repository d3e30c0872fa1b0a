import { join } from 'node:path';
import { withFileLock } from '../../infra/system/file-lock.ts';
import { InterruptedError, LockageError, LockedError } from '../../pipelines/errors.ts';
import { openStateFolder } from './state-folder.ts';

/** Milliseconds for which a command waits for another one with the same name, where it is told nothing else. */
const usualPatience = 500;

/** How long a command waits for another one. */
export interface Patience {
  /** milliseconds */
  readonly wait?: number | undefined;
  /** ends the waiting */
  readonly signal?: AbortSignal;
}

/**
 * Works while no other command of this folder makes or forgets the environment of that name: a record without anything on its
 * host is what a killed command left, then. Throws LockedError, or InterruptedError for who waits no longer.
 */
export async function withReproductionLock<T>(
  root: string,
  name: string,
  work: () => Promise<T>,
  { wait = usualPatience, signal }: Patience = {},
): Promise<T> {
  const lock = join(await openStateFolder(root), `env-${name}.lock`);
  for (const end = performance.now() + wait; ;) {
    if (signal?.aborted) throw new InterruptedError('interrupted: nothing was changed');
    const left = end - performance.now();
    const result = await tried(lock, Math.min(left, usualPatience), work);
    if ('value' in result) return result.value;
    if (left <= usualPatience) throw locked(name, result.held);
  }
}

/** Works where nobody else has the lock by then; else returns why not. */
async function tried<T>(
  lock: string,
  patience: number,
  work: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly held: LockageError }> {
  let hasBegun = false;
  const begin = async () => {
    hasBegun = true;
    return { value: await work() };
  };
  return withFileLock(lock, patience, begin).catch((error: unknown) => {
    if (hasBegun || !(error instanceof LockageError)) throw error;
    return { held: error };
  });
}

function locked(name: string, cause: LockageError): LockedError {
  return new LockedError(`another command is at work on ${name}`, { hint: 'Try again when it has ended.', cause });
}
