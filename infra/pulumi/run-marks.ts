import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../system/atomic-file.ts';
import { isAlive } from '../system/is-alive.ts';
import { killLeft } from '../system/process.ts';
import type { ProcessIdentity } from '../system/this-process.ts';
import type { LockHolder } from './errors.ts';

/** A run of Pulumi that was started from here, as it is noted beside its stack's files until it has ended. */
export interface RunMark extends ProcessIdentity {
  /** the process that started it, and without which it ends soon */
  readonly parent: number;
  /** milliseconds since 1970 */
  readonly startedAt: number;
}

const marks = 'running';

/** Notes a run of Pulumi. That takes longer to lock anything. */
export async function markRun(folder: string, mark: RunMark): Promise<void> {
  await writeAtomic(join(folder, marks, `${mark.pid}.json`), JSON.stringify(mark));
}

/** Removes the note of a run that has ended. */
export async function forgetRun(folder: string, pid: number): Promise<void> {
  await rm(join(folder, marks, `${pid}.json`), { force: true });
}

/** Removes the notes of runs whose process would be seen from here and is gone, as they were killed, and their plugins. */
export async function forgetEnded(folder: string, here: Pick<ProcessIdentity, 'machine' | 'pidSpace'>): Promise<void> {
  const isGone = ({ machine, pidSpace, pid }: RunMark) =>
    machine === here.machine && pidSpace === here.pidSpace && !isAlive(pid);
  const gone = (await runsIn(folder)).filter(isGone);
  for (const { pid } of gone) killLeft(pid, folder);
  await Promise.all(gone.map(({ pid }) => forgetRun(folder, pid)));
}

/** Returns the runs that have not ended, or were killed. */
export async function runsIn(folder: string): Promise<RunMark[]> {
  const names = await readdir(join(folder, marks)).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, marks, name), 'utf8').catch(() => '')));
  return texts.flatMap(parsed);
}

function parsed(text: string): RunMark[] {
  try {
    return [JSON.parse(text) as RunMark];
  } catch {
    // It was being written when its process was killed, or is gone.
    return [];
  }
}

/**
 * Returns whether Pulumi's lock is of a marked run of this computer, this boot and this container: its process, if it were
 * alive, would be seen from here.
 */
export function marksLock(
  runs: readonly RunMark[],
  holder: Pick<LockHolder, 'machine' | 'pid' | 'since'>,
  here: Pick<ProcessIdentity, 'machine' | 'pidSpace'>,
): boolean {
  const locked = Date.parse(holder.since);
  return runs.some(
    ({ machine, pid, pidSpace, startedAt }) =>
      machine === holder.machine &&
      machine === here.machine &&
      pidSpace === here.pidSpace &&
      pid === holder.pid &&
      // Pulumi writes whole seconds. A process of that number before is another one.
      !(locked < startedAt - 2000),
  );
}
