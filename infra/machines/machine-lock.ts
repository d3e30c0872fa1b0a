import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { LockedError } from '../../pipelines/errors.ts';
import { withFileLock } from '../system/file-lock.ts';
import type { MachineFolders } from '../system/state-folders.ts';

/** Milliseconds that a command waits for another one, which may need minutes. */
const lockTimeout = 10_000;

interface Subject {
  /** of its lock */
  readonly name: string;
  /** for people */
  readonly what: string;
}

/**
 * Runs `work` on an environment's machines, or their images, while no other command of this computer does. An
 * environment's own lock is on its machines, so it cannot protect machines that do not exist yet. Throws LockedError.
 */
export async function withMachineLock<T>(
  folders: MachineFolders,
  { name, what }: Subject,
  work: () => Promise<T>,
): Promise<T> {
  const locks = path.join(path.dirname(folders.machines), 'machine-locks');
  await mkdir(locks, { recursive: true, mode: 0o700 });
  let begun = false;
  const begin = () => {
    begun = true;
    return work();
  };
  return withFileLock(path.join(locks, name), lockTimeout, begin).catch((error: unknown) => {
    if (begun) throw error;
    throw new LockedError(`another command is at work on ${what}`, {
      hint: 'Try again when it has finished.',
      cause: error,
    });
  });
}
