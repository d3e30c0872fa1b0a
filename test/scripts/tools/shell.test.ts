import { expect, test } from 'vitest';
import { mustRun, run } from '../../../scripts/tools/shell.ts';

test('of an output without an end, the end is kept', async () => {
  let lines = 0;
  const flood = `yes ${'y'.repeat(999)} | head -c 20000000`;
  const script = `${flood}; echo last; ${flood} >&2; echo lost >&2`;
  const { stdout, stderr, code, late } = await run(['sh', '-c', script], { onLine: () => (lines += 1) });
  expect([code, late, stdout.endsWith('y\nlast\n'), stderr.endsWith('y\nlost\n')]).toEqual([0, false, true, true]);
  expect(Math.max(stdout.length, stderr.length)).toBeLessThanOrEqual(4 * 2 ** 20);
  expect(lines).toBe(40_002);
});

test('16 MB without a line end come in parts, as they are read', async () => {
  const parts: string[] = [];
  const script = 'printf %s begin; head -c 16000000 /dev/zero | tr "\\0" x; printf "\\nlast"; printf err >&2';
  const { code } = await run(['sh', '-c', script], { onLine: (line) => parts.push(line) });
  expect([code, parts.includes('last'), parts.includes('err')]).toEqual([0, true, true]);
  const long = parts.filter((part) => part !== 'last' && part !== 'err');
  expect(long.join('').length).toBe('begin'.length + 16_000_000);
  // What is kept of a line, and one part of a pipe.
  expect(Math.max(...long.map(({ length }) => length))).toBeLessThanOrEqual(2 ** 20 + 2 ** 16);
});

test('a command that hangs is ended, and the error says so', async () => {
  const hangs = mustRun('inspect the image', ['sh', '-c', 'sleep 60 & wait'], { timeout: 300 });
  await expect(hangs).rejects.toThrow('cannot inspect the image: sh did not end within 0.3 s');
});
