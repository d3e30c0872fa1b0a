import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { LockageError } from '../../pipelines/errors.ts';

/** The last line of a backup, which one that was cut anywhere does not have. A comment in SQL, so that it is in nobody's way. */
export const endMark = '\n-- lockage: complete\n';

/** Bytes in which the end of a file is looked for. */
const tailLength = 1024;

/** A file with all the data that was backed up. */
export interface Backup {
  readonly file: string;
  /** bytes of the file */
  readonly size: number;
  /** bytes of the data in it */
  readonly length: number;
}

/**
 * Looks whether a backup is whole: it ends with our mark, or as the program that wrote it by hand ends its own. Throws
 * LockageError, also for what is no file.
 */
export async function wholeBackup(file: string, ownEnd?: RegExp): Promise<Backup> {
  const { size, tail } = await endOf(file);
  const length = tail.endsWith(endMark) ? size - endMark.length : size;
  if (length > 0 && (length < size || ownEnd?.test(tail))) return { file, size, length };
  throw new LockageError(`${file} is not a whole backup: its last line is missing`, {
    hint: 'Name a file that `lockage accessory backup` wrote, as it wrote it.',
  });
}

async function endOf(file: string): Promise<{ readonly size: number; readonly tail: string }> {
  const handle = await open(file).catch((error: unknown) => {
    throw notReadable(file, error);
  });
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw notReadable(file);
    const start = Math.max(0, found.size - tailLength);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(tailLength), 0, tailLength, start);
    return { size: found.size, tail: buffer.subarray(0, bytesRead).toString('latin1') };
  } finally {
    await handle.close();
  }
}

function notReadable(file: string, cause?: unknown): LockageError {
  return new LockageError(`${file} is not a file that can be read`, {
    hint: 'Name a file that `lockage accessory backup` wrote.',
    cause,
  });
}

/** Reads the data of a backup; the hash gets all of its file. Throws LockageError when the file has become shorter meanwhile. */
export async function* dataOf({ file, size, length }: Backup, hash: Hash): AsyncGenerator<Buffer> {
  let left = length;
  for await (const chunk of createReadStream(file, { end: length - 1 }) as AsyncIterable<Buffer>) {
    left -= chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  if (left > 0) throw new LockageError(`${file} became shorter while it was read`);
  if (length < size) hash.update(endMark);
}
