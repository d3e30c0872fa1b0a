import { readFile } from 'node:fs/promises';
import { isAlive } from './is-alive.ts';
import { thisProcess, type ProcessIdentity } from './this-process.ts';

/** A process that no other is taken for, also after it has ended and its number is used again. */
export interface ProcessMark extends ProcessIdentity {
  /** when it was started, as /proc has it; empty where there is none */
  readonly started: string;
}

/** Returns the mark of this process. */
export async function markOfThis(): Promise<ProcessMark> {
  return { ...(await thisProcess()), started: await startOf(process.pid) };
}

/** Returns whether a process runs; undefined where it is one of another computer, or is not seen from here. */
export async function runsStill(mark: ProcessMark): Promise<boolean | undefined> {
  const { machine, pidSpace } = await thisProcess();
  if (mark.machine !== machine) return undefined;
  // Another boot of this computer has ended all of its processes; another namespace may have them.
  if (mark.pidSpace !== pidSpace) return mark.pidSpace.split(' ')[0] === pidSpace.split(' ')[0] ? undefined : false;
  if (!isAlive(mark.pid)) return false;
  return mark.started === '' || (await startOf(mark.pid)) === mark.started;
}

/** Returns when a process was started; empty once it has ended, where nobody waits for it too. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' ? 'ended' : (rest[18] ?? '');
}
