import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

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
 * next one is complete, and `check` has found no fault with it. Returns what `write` returns.
 */
export async function streamAtomic<T>(
  file: string,
  write: (out: Writable) => Promise<T>,
  check: (draft: string) => Promise<void>,
): Promise<T> {
  const draft = `${file}.${randomUUID()}${draftEnd}`;
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
    throw error;
  }
}

/** Returns whether `name` is a draft that a killed writer of `file` left beside it. */
export function isDraftOf(file: string, name: string): boolean {
  return name.startsWith(`${basename(file)}.`) && name.endsWith(draftEnd);
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
