import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';

/**
 * Returns a folder for sockets that only this user can enter. Its path is short, because a socket's path is limited to
 * about a hundred bytes. Throws LockageError if somebody else made a folder of that name.
 */
export async function runtimeFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const given = process.env.XDG_RUNTIME_DIR;
  const folder = given?.startsWith('/') && given.length < 40 ? join(given, 'lockage') : `/tmp/lockage-${uid}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new LockageError(`${folder} is not a folder of this user alone`, {
      hint: 'Others could reach the hosts through it: remove it, or `chmod 700` it if it is yours.',
    });
  }
  return folder;
}
