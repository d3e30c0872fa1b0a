/**
 * Who runs this, and which folders are theirs. A process in a container may have a user without a line in /etc/passwd, no home,
 * and folders in its variables that are not there or are somebody else's.
 */
import { accessSync, constants } from 'node:fs';
import { userInfo } from 'node:os';
import { isAbsolute } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';

/** Returns the user's name. One without a line in passwd is called by number. */
export function userName(): string {
  return listed()?.username ?? `uid-${process.getuid?.() ?? 'unknown'}`;
}

/** Returns whether /etc/passwd, or what stands for it, knows the user of this process: ssh works for no other. */
export function isListedUser(): boolean {
  return listed() !== undefined;
}

/** Returns the user's home folder: HOME where it is a full path, else what passwd says; `/` where neither does, as Docker has it. */
export function homeFolder(): string {
  return fullPath(process.env['HOME']) ?? fullPath(listed()?.homedir) ?? '/';
}

/** Returns the value of a variable that names a folder; undefined for what is none: XDG says to ignore what is no full path. */
export function fullPath(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined;
}

/**
 * Returns a folder for temporary files: that of TMPDIR, or the system's where this user cannot write there. Throws LockageError
 * when there is none.
 */
export function temporaryRoot(): string {
  const candidates = [fullPath(process.env['TMPDIR']), '/tmp', '/var/tmp'].filter((folder) => folder !== undefined);
  const found = candidates.find(isWritable);
  if (found !== undefined) return found;
  throw new LockageError(`no folder for temporary files can be written: ${candidates.join(', ')}`, {
    hint: 'Set TMPDIR to a folder that you may write to.',
  });
}

/** Returns whether this user may make files in a folder. */
export function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns the variables that programs take for granted, where they are missing here or lead nowhere: Pulumi stops without a user
 * and a home, and everything that unpacks something without a folder for it.
 */
export function missingVariables(): Readonly<Record<string, string>> {
  const { HOME, USER, TMPDIR } = process.env;
  return {
    ...(fullPath(HOME) === undefined ? { HOME: homeFolder() } : {}),
    ...(USER ? {} : { USER: userName() }),
    ...(TMPDIR === undefined || isFolderOfUse(TMPDIR) ? {} : { TMPDIR: temporaryRoot() }),
  };
}

function isFolderOfUse(folder: string): boolean {
  return fullPath(folder) !== undefined && isWritable(folder);
}

function listed(): { readonly username: string; readonly homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    return undefined;
  }
}
