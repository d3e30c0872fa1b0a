import { lstat, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';

/**
 * A folder for sockets that only this user can enter. Its path is short, because a socket's may have only some hundred
 * bytes. Throws LockageError if somebody else made a folder of that name.
 */
export async function runtimeFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const given = process.env.XDG_RUNTIME_DIR;
  const folder = given?.startsWith('/') && given.length < 40 ? join(given, 'lockage') : `/tmp/lockage-${uid}`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new LockageError(`${folder} is not a folder of this user alone`, {
      hint: `others could reach the hosts through it: remove it, or \`chmod 700\` it if it is yours`,
    });
  }
  return folder;
}

/**
 * Does the work while no other process of this user works under the same lock. A lock whose process has died, or says
 * nothing for minutes, is taken over. Throws LockageError after `patience` milliseconds.
 */
export async function withLock<T>(lock: string, patience: number, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + patience;
  while (!(await tryLock(lock))) {
    if (performance.now() > end) throw new LockageError(`another process holds ${lock}`, { hint: 'try again later' });
    await sleep(20 + Math.random() * 30);
  }
  const alive = setInterval(() => void utimes(lock, new Date(), new Date()).catch(() => undefined), oldLock / 5);
  alive.unref();
  try {
    return await work();
  } finally {
    clearInterval(alive);
    await release(lock);
  }
}

/** Milliseconds. */
const oldLock = 5 * 60_000;
let drafts = 0;

async function tryLock(lock: string): Promise<boolean> {
  const owner = await readFile(join(lock, 'pid'), 'utf8').catch(() => undefined);
  if (owner !== undefined) {
    if (isAlive(Number(owner)) && !(await isOld(lock))) return false;
    await removeStale(lock, owner);
  }
  // A folder that already says whose it is takes the name in one step, and fails if the name is taken.
  const draft = `${lock}.${process.pid}.${drafts++}`;
  await mkdir(draft, { mode: 0o700 });
  await writeFile(join(draft, 'pid'), String(process.pid));
  try {
    await rename(draft, lock);
    return true;
  } catch {
    await rm(draft, { recursive: true, force: true });
    return false;
  }
}

/** In one step: a folder whose file is gone already would be taken by the next one while it is removed. */
async function release(lock: string): Promise<void> {
  const aside = `${lock}.${process.pid}.${drafts++}.done`;
  await rename(lock, aside).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
}

async function removeStale(lock: string, owner: string): Promise<void> {
  const aside = `${lock}.${process.pid}.${drafts++}.stale`;
  try {
    await rename(lock, aside);
  } catch {
    return;
  }
  const taken = await readFile(join(aside, 'pid'), 'utf8').catch(() => owner);
  // Between reading and renaming, another process may have taken the stale lock over: it is given back.
  if (taken !== owner) await rename(aside, lock).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
}

/** Numbers of processes are used again, and a dead one that nobody waits for looks alive. */
async function isOld(lock: string): Promise<boolean> {
  const made = await stat(lock).catch(() => undefined);
  return made !== undefined && Date.now() - made.mtimeMs > oldLock;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
