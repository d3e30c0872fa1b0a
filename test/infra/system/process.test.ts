import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { killSession, runToEnd, startProcess } from '../../../infra/system/process.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-process-'));
});

afterEach(async () => {
  for (const name of ['started', 'deaf', 'daemon']) if (text(name)) await runToEnd('kill', ['-9', text(name)], 5000);
  rmSync(folder, { recursive: true, force: true });
});

const file = (name: string) => join(folder, name);
const text = (name: string) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8').trim() : '');
const run = (script: string, deadline: number) => runToEnd('sh', ['-c', `cd ${folder}; ${script}`], deadline);

/** A dead one that nobody waited for is gone, too. */
async function isGone(pid: string): Promise<boolean> {
  expect(pid).toMatch(/^\d+$/);
  const { stdout } = await runToEnd('ps', ['-o', 'stat=', '-p', pid], 5000);
  return /^(Z|$)/.test(stdout.trim());
}

test('what a program that has ended leaves in a group of its own ends with its session', async () => {
  const script = `set -m; sleep 60 >/dev/null 2>&1 & echo $! > ${file('started')}`;
  const program = startProcess(['sh', '-c', script], { detached: true });
  await once(program, 'close');
  expect(await isGone(text('started'))).toBe(false);
  killSession(program.pid ?? 0);
  await expect.poll(() => isGone(text('started'))).toBe(true);
});

describe('a program that is late', () => {
  test('may tidy up, and all that it started ends with it', async () => {
    const script = 'sleep 60 & echo $! > started; trap "echo tidy; exit 1" TERM; touch mine; wait';
    const { late, stdout } = await run(script, 500);
    expect([late, stdout]).toEqual([true, 'tidy\n']);
    await expect.poll(() => isGone(text('started'))).toBe(true);
  });

  test('does not leave behind what would not be told', async () => {
    await run(`sh -c 'trap "" TERM; echo $$ > deaf; while :; do sleep 1; done' & wait`, 500);
    await expect.poll(() => isGone(text('deaf'))).toBe(true);
  });

  test('is killed where it does not end by itself', { timeout: 20_000 }, async () => {
    const { late, code } = await run('trap "" TERM; while :; do sleep 1; done', 100);
    expect([late, code]).toEqual([true, null]);
  });
});

test('a program that does not stop writing is ended with all that it started', async () => {
  const script = `cd ${folder}; sleep 60 & echo $! > started; yes hunter2`;
  const flood = runToEnd('sh', ['-c', script], 60_000, { mostOutput: 100_000, called: 'ssh to prod-1' });
  const error: unknown = await flood.catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ message: 'ssh to prod-1 wrote more than 100000 bytes, and was ended', details: [] });
  await expect.poll(() => isGone(text('started'))).toBe(true);
});

test('what a program put into the background for good outlives it', async () => {
  const script = `setsid sh -c 'echo $$ > daemon; exec sleep 60' & while ! [ -s daemon ]; do sleep 0.05; done`;
  expect((await run(script, 5000)).code).toBe(0);
  expect(await isGone(text('daemon'))).toBe(false);
});

describe('Ctrl-C, which a terminal sends to all that runs in it,', () => {
  /** A process that stops at a safe point when it is asked, and at once when it is asked again. */
  const stopper = `
    import { killSession, runToEnd, startProcess } from './infra/system/process.ts';
    let asked = false;
    process.on('SIGINT', () => (asked ? process.exit(130) : (asked = true)));
    const { code } = await runToEnd('sh', ['-c', process.argv[2]], 60_000);
    process.exit(code);
  `;
  const started = async (script: string): Promise<ChildProcess> => {
    const root = resolve(import.meta.dirname, '../../..');
    const bundle = { bundle: true, platform: 'node', format: 'esm', outfile: file('stopper.mjs') } as const;
    await build({ ...bundle, stdin: { contents: stopper, resolveDir: root } });
    const child = spawn(process.execPath, [file('stopper.mjs'), `cd ${folder}; ${script}`], { detached: true });
    while (text('started') === '') await sleep(10);
    return child;
  };
  const press = (child: ChildProcess) => process.kill(-(child.pid ?? 0), 'SIGINT');

  test('does not end a program in the middle of its work', async () => {
    const child = await started('echo $$ > started; while ! [ -e goon ]; do sleep 0.05; done; exit 7');
    press(child);
    await runToEnd('touch', [file('goon')], 5000);
    expect(await once(child, 'exit')).toEqual([7, null]);
  });

  test('leaves none behind when it is pressed again', async () => {
    const child = await started('echo $$ > started; exec sleep 60');
    press(child);
    await sleep(100);
    press(child);
    expect(await once(child, 'exit')).toEqual([130, null]);
    await expect.poll(() => isGone(text('started'))).toBe(true);
  });
});
