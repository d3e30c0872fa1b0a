import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../../scripts/tools/cache.ts';

const program = process.env['LOCKAGE_TEST_CLI'] ?? join(packageRoot(), 'dist', 'lockage.mjs');

async function ended(words: readonly string[], stdout: number | 'pipe') {
  const child = spawn(process.execPath, [program, ...words], { cwd: tmpdir(), stdio: ['ignore', stdout, 'pipe'] });
  let [printed, stderr] = ['', ''];
  child.stderr?.on('data', (data) => void (stderr += String(data)));
  child.stdout?.on('data', (data) => void (printed += String(data)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr, printed };
}

test('a command whose output finds no room does not end with 0', async () => {
  const full = openSync('/dev/full', 'w');
  const { code, stderr } = await ended(['--help'], full);
  closeSync(full);
  expect([code, stderr]).toEqual([5, 'error  the output is not whole: write: no space is left on the device\n']);
});

test('one whose reader goes away does', async () => {
  const child = spawn(process.execPath, [program, '--help'], { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('what a program is given after -- says nothing of how errors are printed', async () => {
  const { code, printed } = await ended(['exec', '-e', 'dev', '--', 'ls', '--json'], 'pipe');
  expect([code, printed]).toEqual([2, '']);
  expect(JSON.parse((await ended(['status', '--json'], 'pipe')).printed).error.code).toBe(2);
});
