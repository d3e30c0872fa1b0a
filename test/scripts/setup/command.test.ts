import { expect, test } from 'vitest';
import { atLeast } from '../../../infra/system/tool-versions.ts';
import { ask, findProgram, run } from '../../../scripts/setup/command.ts';
import { StepError } from '../../../scripts/setup/step.ts';

test('a command gives its output, and its arguments reach it as they are', async () => {
  const lines: string[] = [];
  const text = await run([process.execPath, '-p', 'process.argv.at(-1)', '$(id) "; *'], {
    onLine: (l) => lines.push(l),
  });
  expect(text).toBe('$(id) "; *\n');
  expect(lines).toEqual(['$(id) "; *']);
});

test('a failure names the command, the exit code and its last lines', async () => {
  const words = [process.execPath, '-e', 'console.error("first\\nno space left"); process.exit(7)'];
  const error = await run(words, { todo: 'make room.' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StepError);
  expect(error).toMatchObject({ todo: 'make room.', detail: ['first', 'no space left'] });
  expect(String(error)).toContain('failed: exit 7');
});

test('a command that hangs is ended', async () => {
  const hangs = run([process.execPath, '-e', 'setInterval(() => {}, 1000)'], { timeout: 300 });
  await expect(hangs).rejects.toThrow('was ended (it has 0.3 s)');
});

test('a command has ended when its own process has, whatever it left in the background', async () => {
  const began = performance.now();
  expect(await run(['sh', '-c', 'sleep 20 & echo started'])).toBe('started\n');
  expect(performance.now() - began).toBeLessThan(15_000);
});

test('a program that is not there is an answer, not an accident', async () => {
  expect(findProgram('no-such-program-here')).toBeUndefined();
  expect(await ask(['no-such-program-here', 'version'])).toBeUndefined();
});

test.each([
  ['3.181.0', '3.181.0', true],
  ['3.256.0', '3.181.0', true],
  ['3.99.9', '3.181.0', false],
  ['4.0.0-alpha.1', '3.181.0', true],
  ['1.26.8', '1.21', true],
  ['1.19', '1.21', false],
])('%s is at least %s: %s', (version, oldest, expected) => {
  expect(atLeast(version, oldest)).toBe(expected);
});
