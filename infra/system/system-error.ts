/** What the system of this computer refuses, in words that a user can act on. */
import { LockageError } from '../../pipelines/errors.ts';

const causes: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  ENOSPC: ['no space is left on the device', 'Make room there; TMPDIR and LOCKAGE_CACHE name other folders.'],
  EDQUOT: ['the quota of this user is used up', 'Make room there; TMPDIR and LOCKAGE_CACHE name other folders.'],
  EROFS: ['the file system is read-only', 'LOCKAGE_CACHE, TMPDIR and HOME can name folders that may be written.'],
  EACCES: ['permission denied', 'See whose it is: the project and its .lockage have to be of the user who runs this.'],
  EPERM: ['the system does not allow it', 'See whose it is: the project has to be of the user who runs this.'],
  EMFILE: ['too many files are open in this process', 'Raise the limit, as `ulimit -n 1024`.'],
  ENFILE: ['too many files are open on this computer', 'Close some, or raise fs.file-max.'],
  ENOMEM: ['this computer has no memory left', 'End something, or give it more.'],
  EIO: ['the device failed', 'Look into the log of the kernel: `dmesg`.'],
  ENOTDIR: [
    'a folder is needed, and this is none',
    'Move it out of the way: what is kept there goes into a folder of that name.',
  ],
  EISDIR: ['it is a folder, and a file is needed', 'Move it out of the way.'],
  ELOOP: ['its links lead in a circle', 'Remove one of them.'],
  ESTALE: ['the file server has lost it', 'Run the command again; mount that folder once more where it stays so.'],
  ENAMETOOLONG: ['the path is too long', 'Have the project in a folder with a shorter path.'],
};

/**
 * Returns the error for what the system refused, with its path; undefined for what is no such refusal. A full disk, or a folder of
 * somebody else, is no bug of this program.
 */
export function systemError(error: unknown): LockageError | undefined {
  if (!(error instanceof Error) || error instanceof LockageError) return undefined;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'uv_cwd') {
    return new LockageError('the folder that this was started in is not there any more', {
      hint: 'Go into the project again: `cd "$PWD"`, where one of that name is there by now.',
      cause: error,
    });
  }
  const [reason, hint] = causes[code ?? ''] ?? [];
  if (reason === undefined || syscall === undefined) return undefined;
  const what = path === undefined ? syscall : `${path} (${syscall})`;
  return new LockageError(`${what}: ${reason}`, { hint, cause: error });
}
