import { expect, test } from 'vitest';
import { mustRun, run } from '../../../scripts/tools/shell.ts';

test('of an output without an end, the end is kept', async () => {
  let lines = 0;
  const flood = `yes ${'y'.repeat(999)} | head -c 20000000`;
  const script = `${flood}; echo last; ${flood} >&2; echo lost >&2`;
  const { stdout, stderr, code, late } = await run(['sh', '-c', script], { onLine: () => (lines += 1) });
  expect([code, late, stdout.endsWith('y\nlast\n'), stderr.endsWith('y\nlost\n')]).toEqual([0, false, true, true]);
  expect(Math.max(stdout.length, stderr.length)).toBeLessThanOrEqual(4 * 2 ** 20);
  expect(lines).toBe(20_001);
});

test('a command that hangs is ended, and the error says so', async () => {
  const hangs = mustRun('inspect the image', ['sh', '-c', 'sleep 60 & wait'], { timeout: 300 });
  await expect(hangs).rejects.toThrow('cannot inspect the image: sh did not end within 0.3 s');
});
