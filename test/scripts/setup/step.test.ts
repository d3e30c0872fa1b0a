import { expect, test } from 'vitest';
import { duration, runSteps, StepError, type Step } from '../../../scripts/setup/step.ts';

function step(name: string, ready: string | undefined, run: () => Promise<string> = async () => 'made'): Step {
  return { name, why: `why ${name}`, ready: () => Promise.resolve(ready), run };
}

async function outcome(steps: readonly Step[], quiet = false): Promise<{ ok: boolean; lines: string[] }> {
  const lines: string[] = [];
  const ok = await runSteps(steps, { line: (text) => lines.push(text), quiet });
  return { ok, lines: lines.map((line) => line.replace(/ {2}[\d.]+ s$/, '  TIME').replace(/\d+\.\d s$/, 'TIME')) };
}

test('a step that is there is not run, and says what is there', async () => {
  const fails = () => Promise.reject(new Error('must not run'));
  expect(await outcome([step('engine', '20.10 answers', fails)])).toEqual({
    ok: true,
    lines: ['✓ engine                20.10 answers'],
  });
});

test('a step with something to do says why first, then how and how long', async () => {
  expect(await outcome([step('engine', undefined)])).toEqual({
    ok: true,
    lines: ['… engine                why engine', '✓ engine                made  TIME'],
  });
});

test('quiet leaves out what was there already, and nothing else', async () => {
  const { lines } = await outcome([step('engine', '20.10'), step('plugin', undefined)], true);
  expect(lines.map((line) => line.slice(0, 8))).toEqual(['… plugin', '✓ plugin']);
});

test('the first failure ends it, with the cause, the last lines and what to do', async () => {
  const fails = () => Promise.reject(new StepError('no engine answers', 'start Docker.', ['line 1', 'line 2']));
  expect(await outcome([step('engine', undefined, fails), step('plugin', undefined)])).toEqual({
    ok: false,
    lines: [
      '… engine                why engine',
      '✗ engine  failed after TIME',
      '    no engine answers',
      '    | line 1',
      '    | line 2',
      '  What to do: start Docker.',
    ],
  });
});

test('a check that throws counts as not ready, and the action decides', async () => {
  const steps = [{ ...step('engine', undefined), ready: () => Promise.reject(new Error('odd answer')) }];
  expect((await outcome(steps)).ok).toBe(true);
});

test('what a step made is seen by the checks behind it', async () => {
  let made = false;
  const maker = step('image', undefined, async () => {
    made = true;
    return 'made';
  });
  const user: Step = { ...step('user', undefined), ready: async () => (made ? 'found it' : undefined) };
  expect((await outcome([maker, user])).lines.at(-1)).toBe('✓ user                  found it');
});

test.each([
  [40, '0.0 s'],
  [9_940, '9.9 s'],
  [9_960, '10 s'],
  [59_600, '1 min 0 s'],
  [216_000, '3 min 36 s'],
])('%d ms reads %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});
