import { randomUUID } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';

/** The errors of file systems that have no hard links. */
export const withoutLinks: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'];

/**
 * Makes a file for its owner alone, unless there is one: of several at once the first one wins. It is there as a whole or not at
 * all, also when the disk is full or the process is killed.
 */
export async function writeFirst(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  const write = (path: string) => writeFile(path, text, { mode: 0o600, flag: 'wx', flush: true });
  try {
    await write(draft);
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (!withoutLinks.includes(error.code ?? '')) throw error;
      return write(file);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
