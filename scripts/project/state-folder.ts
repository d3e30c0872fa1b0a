import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The name of the folder with what a project keeps for itself: state, passphrase, keys, machines. */
export const stateFolderName = '.lockage';

/**
 * Makes a project's folder of state, which git ignores whatever the project's own .gitignore says. Returns its path. Where
 * nothing can be written, nothing has to be kept from git either.
 */
export async function openStateFolder(root: string): Promise<string> {
  const folder = join(root, stateFolderName);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EEXIST', 'EROFS', 'EACCES', 'EPERM'].includes(code)) throw error;
  }
  return folder;
}
