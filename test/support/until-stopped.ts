import { readFile } from 'node:fs/promises';

/** Waits until a process is stopped, as by SIGSTOP. Throws when it ends before, or is not stopped for two minutes. */
export async function untilStopped(pid: number): Promise<void> {
  for (const end = performance.now() + 120_000; performance.now() < end;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat === '') throw new Error('it ended before it was stopped');
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('it was not stopped');
}
