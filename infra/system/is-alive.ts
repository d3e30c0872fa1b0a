import { readFileSync } from 'node:fs';

/**
 * Returns whether a process of this computer runs, also one of another user. A file that lost its content in a power
 * cut reads as 0, which would mean this process and its group.
 */
export function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return !hasEnded(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** One that nobody waits for, as in a container without an init, or as a child of one that is stopped, keeps its number. */
function hasEnded(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return ['Z', 'X'].includes(text.slice(text.lastIndexOf(')') + 2)[0] ?? '');
  } catch {
    // There is no /proc, or it has gone by now.
    return false;
  }
}
