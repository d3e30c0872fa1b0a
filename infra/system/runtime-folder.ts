import { lstat, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';

/**
 * Returns a folder for sockets that only this user can enter. Its path is short, because a socket's path is limited to
 * about a hundred bytes. Throws LockageError if somebody else made a folder of that name.
 */
export async function runtimeFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const given = process.env.XDG_RUNTIME_DIR;
  if (given?.startsWith('/') && given.length < 40) {
    const folder = await ownFolder(join(given, 'lockage'), uid);
    if (folder !== undefined) return folder;
  }
  const folder = `/tmp/lockage-${uid}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await isOwn(folder, uid))) {
    throw new LockageError(`${folder} is not a folder of this user alone`, {
      hint: 'Others could reach the hosts through it: remove it, or `chmod 700` it if it is yours.',
    });
  }
  return folder;
}

/** The variable outlives `su` and `sudo -E`, and may name a folder of another user, or none. */
async function ownFolder(folder: string, uid: number): Promise<string | undefined> {
  const parent = await stat(dirname(folder)).catch(() => undefined);
  if (parent?.uid !== uid || !parent.isDirectory()) return undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return (await isOwn(folder, uid)) ? folder : undefined;
  } catch {
    return undefined;
  }
}

async function isOwn(folder: string, uid: number): Promise<boolean> {
  const found = await lstat(folder);
  return found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
}
