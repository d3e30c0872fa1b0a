/** The logs of machines that did not come up, kept of the last one of each name. */
import { open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Place } from '../resources/inputs.ts';
import { writeAtomic } from '../system/atomic-file.ts';
import { folderIn } from '../system/folder-in.ts';
import type { MachineFolders } from '../system/state-folders.ts';

const mostBytes = 2 ** 18;

/** Returns the last lines of a machine's log. */
export async function logTail(log: string, lines = 8): Promise<string[]> {
  return (await endOf(log)).trim().split('\n').slice(-lines);
}

/** Keeps the end of a machine's log, in place of the log of an earlier one of its name; returns its path. */
export async function keepLog(folders: MachineFolders, name: string, log: string): Promise<string | undefined> {
  const text = await endOf(log);
  if (text === '') return undefined;
  const kept = `${folderIn(folderOf(folders), name)}.log`;
  await writeAtomic(kept, text);
  return kept;
}

/** Removes the kept logs of an environment's machines, or of one machine. */
export async function forgetLogs(folders: MachineFolders, { app, environment }: Place, name?: string): Promise<void> {
  // A machine of the green pool has a `b` after its number.
  const isTheirs = new RegExp(`^${app}-${environment}-machine-\\d+b?\\.log$`);
  for (const file of await readdir(folderOf(folders)).catch(() => [])) {
    if (name === undefined ? isTheirs.test(file) : file === `${name}.log`) await rm(path.join(folderOf(folders), file));
  }
}

async function endOf(log: string): Promise<string> {
  const file = await open(log).catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, mostBytes);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return stripVTControlCharacters(buffer.toString()).replaceAll('\r', '');
  } finally {
    await file.close();
  }
}

function folderOf(folders: MachineFolders): string {
  return path.join(folders.machines, '..', 'machine-logs');
}
