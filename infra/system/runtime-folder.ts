import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { homeFolder } from './this-user.ts';

/** The longest folder: a socket's path is limited to about a hundred bytes, and its name needs some. */
const longest = 48;

/**
 * Returns a folder for sockets that only this user can enter: in the user's runtime folder, in /tmp, or where somebody else
 * made one of that name, in the user's cache. Throws LockageError when none of them is this user's alone.
 */
export async function runtimeFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const given = process.env['XDG_RUNTIME_DIR'];
  const own = given?.startsWith('/') ? [join(given, 'lockage')] : [];
  const candidates = [...own, join('/tmp', `lockage-${uid}`), join(homeFolder(), '.cache/lockage/run')];
  const short = candidates.filter((folder) => folder.length <= longest && isPlainPath(folder));
  for (const folder of short) if (await isOwn(folder, uid)) return folder;
  throw new LockageError(`no folder for sockets is of this user alone: ${candidates.join(', ')}`, {
    hint: 'Others could reach the hosts through it: remove one of them, or `chmod 700` it if it is yours.',
  });
}

/** Returns whether a path has no character that programs read as more than itself: quotes, colons, percent signs, spaces. */
export function isPlainPath(path: string): boolean {
  return /^[\w./@+-]+$/.test(path);
}

async function isOwn(folder: string, uid: number): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await lstat(folder);
    return found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
  } catch {
    return false;
  }
}
