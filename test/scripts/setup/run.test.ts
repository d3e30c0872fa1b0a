import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const scripts = resolve(import.meta.dirname, '../../../scripts');
const clone = mkdtempSync(join(tmpdir(), 'lockage-clone-'));

// A clone whose dist/ is there and whose set-up would have work to do: nothing of it may be touched.
beforeAll(() => {
  mkdirSync(join(clone, 'scripts', 'setup'), { recursive: true });
  for (const name of ['run.mjs', 'setup.mjs', 'setup/lock.mjs']) {
    cpSync(join(scripts, name), join(clone, 'scripts', name));
  }
  writeFileSync(join(clone, 'package-lock.json'), '{ "packages": { "node_modules/missing": { "version": "1.0.0" } } }');
  mkdirSync(join(clone, 'dist'));
  writeFileSync(join(clone, 'dist', 'demo.mjs'), 'console.log("demo", ...process.argv.slice(2)); process.exit(5);');
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

function runProgram(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(clone, 'scripts', 'run.mjs'), ...args], { encoding: 'utf8' });
}

test('--clean goes straight to the program, with its arguments and its exit code', () => {
  expect(runProgram('demo', '--clean', 'all')).toMatchObject({ status: 5, stdout: 'demo --clean all\n' });
});

test('an unknown program is refused by name', () => {
  const { status, stderr } = runProgram('dmeo');
  expect(status).toBe(2);
  expect(stderr).toContain('no program "dmeo"; there are: demo, bench, soak, test, crash, cosign, test:fast');
});

test('npm packages that cannot be installed end it before the program, with what npm said', () => {
  const { status, stdout } = runProgram('demo');
  expect(status).toBe(1);
  expect(stdout).toContain('✗ npm packages  failed');
  expect(stdout).toContain('`npm ci --loglevel=error`');
  expect(stdout).not.toContain('demo --');
});
