import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { withGuard } from '../../../scripts/cli/open-database.ts';

const program = process.argv[1] ?? '';
/** Names the guards of this test, which would begin a program that is not there. */
const absent = `/nowhere/lockage-guard-${process.pid}`;

afterEach(async () => {
  process.argv[1] = program;
  for (const pid of guards()) process.kill(pid, 'SIGKILL');
  // One that is killed is still there for a moment.
  await expect.poll(guards).toEqual([]);
});

function guards(): number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  const found = lines.filter((line) => line.includes(absent) && !/^\s*\d+\s+Z/.test(line));
  return found.map((line) => Number.parseInt(line, 10));
}

function guarded(work: () => Promise<void>, signal = new AbortController().signal): Promise<void> {
  process.argv[1] = absent;
  return withGuard(signal, work);
}

test('a guard goes when the work and its cleaning have ended well', async () => {
  await guarded(async () => expect(guards()).toHaveLength(1));
  await expect.poll(guards).toEqual([]);
});

test('a guard stays where the cleaning fails', async () => {
  await expect(guarded(() => Promise.reject(new Error('the engine does not answer')))).rejects.toThrow();
  expect(guards()).toHaveLength(1);
});

test('a guard stays where the work was stopped', async () => {
  await guarded(async () => {}, AbortSignal.abort());
  expect(guards()).toHaveLength(1);
});
