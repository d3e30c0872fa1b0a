// Plain JavaScript: set-up needs it before there is a compiler.
import { link, mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const beat = 2_000;
const silence = 15_000;
let drafts = 0;

/**
 * Does the work while no other process on this machine does the work of the same lock file; waits for its turn.
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {() => void} [onWait] called once, when another process has the lock
 * @returns {Promise<T>}
 */
export async function withLock(path, work, onWait) {
  await mkdir(dirname(path), { recursive: true });
  while (!(await take(path))) {
    onWait?.();
    onWait = undefined;
    await sleep(200);
  }
  // The holder shows that it lives by the file's time, not by its process id: ids are reused, and differ in containers.
  const beating = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), beat).unref();
  try {
    return await work();
  } finally {
    clearInterval(beating);
    await rm(path, { force: true });
  }
}

/** @param {string} path */
async function take(path) {
  // One process may ask for it twice at once.
  const draft = `${path}.${process.pid}.${(drafts += 1)}`;
  await writeFile(draft, `${process.pid}\n`);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    const held = await stat(path).catch(() => undefined);
    if (held && Date.now() - held.mtimeMs > silence) await rm(path, { force: true });
    return false;
  } finally {
    await rm(draft, { force: true });
  }
}
