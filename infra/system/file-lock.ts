import { randomUUID } from 'node:crypto';
import { utimes, readdir, rm, mkdir, writeFile, rename, rmdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { isAlive } from './is-alive.ts';

/** What becomes of a holder that lives, and shows no sign of it, as a process that is stopped. */
export interface Silence {
  /** for how long whoever waits has to have seen none: ms */
  readonly longest: number;
  /** Keeps that process from going on with what it has begun; the lock is taken from it then. */
  readonly end: (pid: number) => Promise<void>;
}

/**
 * Runs `work` while no other process of this user holds the same lock; it is told how to find out whether it holds it still. A
 * lock whose process has died, or shows no sign of life for minutes, is taken over. Throws LockageError after `timeout`
 * milliseconds.
 */
export async function withFileLock<T>(
  lock: string,
  timeout: number,
  work: (holds: () => Promise<boolean>) => Promise<T>,
  silence?: Silence,
): Promise<T> {
  const end = performance.now() + timeout;
  const own = randomUUID();
  const watch = silence && new SilenceWatch(lock, silence);
  // Where signs of life are watched, age says nothing: a computer that slept has old locks of holders that are well.
  const isStale = watch ? isDead : isDeadOrOld;
  while (!(await tryLock(lock, own, isStale))) {
    if (performance.now() > end) throw new LockageError(`another process holds ${lock}`, { hint: 'Try again later.' });
    await watch?.look();
    await sleep(20 + Math.random() * 30);
  }
  const alive = setInterval(
    () => void utimes(join(lock, own), new Date(), new Date()).catch(() => undefined),
    Math.min(oldLock, silence?.longest ?? oldLock) / 5,
  );
  alive.unref();
  try {
    return await work(async () => (await stat(join(lock, own)).catch(() => undefined)) !== undefined);
  } finally {
    clearInterval(alive);
    await release(lock, own);
  }
}

/** Watches for signs of life by its own clock, as a computer that slept has an old lock of a holder that is well. */
class SilenceWatch {
  readonly #lock: string;
  readonly #silence: Silence;
  #sign: string | undefined;
  #since = 0;

  constructor(lock: string, silence: Silence) {
    this.#lock = lock;
    this.#silence = silence;
  }

  async look(): Promise<void> {
    const [name] = await readdir(this.#lock).catch(() => []);
    const holder = join(this.#lock, name ?? '');
    const touched = await stat(holder).catch(() => undefined);
    const sign = `${name} ${touched?.mtimeMs}`;
    if (sign !== this.#sign) [this.#sign, this.#since] = [sign, performance.now()];
    if (name === undefined || performance.now() - this.#since < this.#silence.longest) return;
    const pid = Number(await readFile(holder, 'utf8').catch(() => ''));
    if (pid > 0) await this.#silence.end(pid);
    // It may have been waking up meanwhile.
    const now = await stat(holder).catch(() => undefined);
    if (now?.mtimeMs === touched?.mtimeMs) await rm(holder, { force: true });
  }
}

/** Milliseconds after which a lock counts as abandoned. */
const oldLock = 5 * 60_000;

/**
 * Tries to take the lock: a folder with one file, which holds the process id of its holder. The file's name is unique
 * to that holder, so removing it can never take the lock from another one who has taken it meanwhile.
 */
async function tryLock(lock: string, own: string, isStale: (holder: string) => Promise<boolean>): Promise<boolean> {
  const [other] = await readdir(lock).catch(() => []);
  if (other !== undefined) {
    const holder = join(lock, other);
    if (!(await isStale(holder))) return false;
    await rm(holder, { force: true });
  }
  // A folder that already names its holder gets the lock's name in one step, unless a holder has it.
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
  // Fails when the next holder already has it.
  await rmdir(lock).catch(() => undefined);
}

async function isDead(holder: string): Promise<boolean> {
  const pid = await readFile(holder, 'utf8').catch(() => undefined);
  // It was released just now, or cannot be read: neither proves that its process is dead.
  return pid !== undefined && !isAlive(Number(pid));
}

async function isDeadOrOld(holder: string): Promise<boolean> {
  return (await isDead(holder)) || (await isOld(holder));
}

/** Returns whether a lock is old. Process ids are reused. */
async function isOld(holder: string): Promise<boolean> {
  const touched = await stat(holder).catch(() => undefined);
  return touched !== undefined && Date.now() - touched.mtimeMs > oldLock;
}
