import { randomUUID } from 'node:crypto';
import { LockageError } from '../../pipelines/errors.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { utimes, readdir, rm, mkdir, writeFile, rename, rmdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './is-alive.ts';

/**
 * Does the work while no other process of this user works under the same lock. A lock whose process has died, or says
 * nothing for minutes, is taken over. Throws LockageError after `timeout` milliseconds.
 */
export async function withFileLock<T>(lock: string, timeout: number, work: () => Promise<T>): Promise<T> {
  const end = performance.now() + timeout;
  const own = randomUUID();
  while (!(await tryLock(lock, own))) {
    if (performance.now() > end) throw new LockageError(`another process holds ${lock}`, { hint: 'Try again later.' });
    await sleep(20 + Math.random() * 30);
  }
  const alive = setInterval(
    () => void utimes(join(lock, own), new Date(), new Date()).catch(() => undefined),
    oldLock / 5,
  );
  alive.unref();
  try {
    return await work();
  } finally {
    clearInterval(alive);
    await release(lock, own);
  }
}

/** Milliseconds. */
const oldLock = 5 * 60_000;

/**
 * A lock is a folder with one file, which says the number of its holder's process. The file's name is of that holder
 * alone, so that to remove it can never take the lock from another who has come to it meanwhile.
 */
async function tryLock(lock: string, own: string): Promise<boolean> {
  const [other] = await readdir(lock).catch(() => []);
  if (other !== undefined) {
    const holder = join(lock, other);
    if (!(await isStale(holder))) return false;
    await rm(holder, { force: true });
  }
  // A folder that already says whose it is takes the name in one step, also from an empty one, and fails at any other.
  const draft = `${lock}.${own}`;
  await mkdir(draft, { mode: 0o700 });
  await writeFile(join(draft, own), String(process.pid));
  try {
    await rename(draft, lock);
    return true;
  } catch {
    await rm(draft, { recursive: true, force: true });
    return false;
  }
}

async function release(lock: string, own: string): Promise<void> {
  await rm(join(lock, own), { force: true }).catch(() => undefined);
  // Refused when the next one has it already.
  await rmdir(lock).catch(() => undefined);
}

async function isStale(holder: string): Promise<boolean> {
  const pid = await readFile(holder, 'utf8').catch(() => undefined);
  // It was released just now, or cannot be read: neither tells that its process is dead.
  if (pid === undefined) return false;
  return !isAlive(Number(pid)) || (await isOld(holder));
}

/** Numbers of processes are used again, and a dead one that nobody waits for looks alive. */
async function isOld(holder: string): Promise<boolean> {
  const touched = await stat(holder).catch(() => undefined);
  return touched !== undefined && Date.now() - touched.mtimeMs > oldLock;
}
