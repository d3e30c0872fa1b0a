import { randomUUID } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { isAlive } from './is-alive.ts';

const draftEnd = '.draft';

/**
 * Writes a file as a whole or not at all: readers get the old text or the new one, also after a crash. The folder is
 * created, for its owner alone, where it is missing.
 */
export async function writeAtomic(file: string, text: string, { mode = 0o600 } = {}): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomUUID()}${draftEnd}`;
  try {
    await writeThrough(draft, text, mode);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/**
 * Writes a file from what `write` gives, for its owner alone: as a whole or not at all, so that an earlier one stays until the
 * next one is complete, and `check` has found no fault with it. Returns what `write` returns. Throws LockageError where its
 * folder is not there.
 */
export async function streamAtomic<T>(
  file: string,
  write: (out: Writable) => Promise<T>,
  check: (draft: string) => Promise<void>,
): Promise<T> {
  const draft = ownDraft(file);
  const out = createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true });
  try {
    // A disk that is full is told to whoever writes then, and here at the end.
    const [result] = await Promise.all([write(out).finally(() => out.end()), finished(out)]);
    await check(draft);
    await rename(draft, file);
    return result;
  } catch (error) {
    out.destroy();
    await rm(draft, { force: true });
    throw ofFolder(draft, error);
  }
}

/**
 * Writes what is only needed while a file is made to a draft beside it, which has room for it more likely than any other folder.
 * `removeLeftDrafts` finds it when its process is killed.
 */
export async function writeDraft(
  file: string,
  content: AsyncIterable<Buffer>,
): Promise<{ readonly file: string; remove(): Promise<void> }> {
  const draft = ownDraft(file);
  const remove = () => rm(draft, { force: true });
  try {
    await pipeline(content, createWriteStream(draft, { flags: 'wx', mode: 0o600 }));
    return { file: draft, remove };
  } catch (error) {
    await remove();
    throw ofFolder(draft, error);
  }
}

/** Returns what to say where somebody has named a file in a folder that is not there, as a slip of the pen; else the error itself. */
function ofFolder(file: string, error: unknown): unknown {
  const folder = dirname(file);
  const { code, path } = Object(error) as NodeJS.ErrnoException;
  if (code !== 'ENOENT' || path !== file || existsSync(folder)) return error;
  return new LockageError(`there is no folder ${folder}`, {
    hint: `Make it first (\`mkdir -p ${folder}\`), or name a file elsewhere.`,
    cause: error,
  });
}

/** The name of a draft says whose it is, so that nobody removes that of a process that lives. */
function ownDraft(file: string): string {
  return `${file}.${process.pid}.${randomUUID()}${draftEnd}`;
}

/** Returns whether `name` is a draft that a killed writer of `file` left beside it. */
export function isDraftOf(file: string, name: string): boolean {
  return name.startsWith(`${basename(file)}.`) && name.endsWith(draftEnd);
}

/** Removes the drafts that `streamAtomic` left beside a file where its process was killed. Returns how many there were. */
export async function removeLeftDrafts(file: string): Promise<number> {
  const names = (await readdir(dirname(file)).catch(() => [])).filter((name) => isDraftOf(basename(file), name));
  const left = names.filter((name) => {
    const pid = Number(name.slice(basename(file).length + 1).split('.')[0]);
    return Number.isInteger(pid) && !isAlive(pid);
  });
  await Promise.all(left.map((name) => rm(join(dirname(file), name), { force: true })));
  return left.length;
}

/** Writes and flushes a file: without the flush, a power cut could leave the new name with nothing behind it. */
async function writeThrough(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'wx', mode);
  try {
    await handle.writeFile(text);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
