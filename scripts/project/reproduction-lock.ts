import { join } from 'node:path';
import { withFileLock } from '../../infra/system/file-lock.ts';
import { LockageError, LockedError } from '../../pipelines/errors.ts';
import { openStateFolder } from './state-folder.ts';

/** Milliseconds for which a command waits for another one with the same name, where it is told nothing else. */
const usualPatience = 500;

/**
 * Works while no other command of this folder makes or forgets the environment of that name: a record without anything on its
 * host is what a killed command left, then. `patience`: ms to wait for another one. Throws LockedError.
 */
export async function withReproductionLock<T>(
  root: string,
  name: string,
  work: () => Promise<T>,
  patience = usualPatience,
): Promise<T> {
  const folder = await openStateFolder(root);
  let hasBegun = false;
  const begin = () => {
    hasBegun = true;
    return work();
  };
  return withFileLock(join(folder, `env-${name}.lock`), patience, begin).catch((error: unknown) => {
    if (hasBegun || !(error instanceof LockageError)) throw error;
    throw new LockedError(`another command is at work on ${name}`, {
      hint: 'Try again when it has ended.',
      cause: error,
    });
  });
}
