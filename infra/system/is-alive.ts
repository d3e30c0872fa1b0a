/**
 * Returns whether a process of this computer runs, also one of another user. A file that lost its content in a power
 * cut reads as 0, which would mean this process and its group.
 */
export function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
