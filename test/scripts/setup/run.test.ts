import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testProjects } from '../../../scripts/test-projects.mjs';

const scripts = resolve(import.meta.dirname, '../../../scripts');
const clone = mkdtempSync(join(tmpdir(), 'lockage-clone-'));

// A clone whose dist/ is there and whose set-up would have work to do: nothing of it may be touched.
beforeAll(() => {
  mkdirSync(join(clone, 'scripts', 'setup'), { recursive: true });
  const setUp = ['lock.mjs', 'node-version.mjs', 'refuse-old-node.mjs'].map((name) => join('setup', name));
  for (const name of ['run.mjs', 'setup.mjs', 'test-projects.mjs', ...setUp]) {
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
  expect(stderr).toContain(
    'no program "dmeo"; there are: demo, bench, soak, test, crash, cosign, others, engines, test:fast',
  );
});

test.each([
  [['test', '--engine', '28'], '--engine takes 29, and not 28'],
  [['test', '--engine=20.10'], '--engine takes 29, and not 20.10'],
  [['test', '--engine'], '--engine takes 29, and not nothing'],
])('%j is refused before anything is done', (words, said) => {
  const { status, stdout, stderr } = runProgram(...words);
  expect([status, stdout, stderr]).toEqual([2, '', `${said}\n`]);
});

test('npm packages that cannot be installed end it before the program, with what npm said', () => {
  const { status, stdout } = runProgram('demo');
  expect(status).toBe(1);
  expect(stdout).toContain('✗ npm packages  failed');
  expect(stdout).toContain('`npm ci --loglevel=error`');
  expect(stdout).not.toContain('demo --');
});

test('every file of tests is run by `npm test` or by the one command that is said to need more', () => {
  const root = join(scripts, '..');
  const files = (command: keyof typeof testProjects) => {
    const projects = testProjects[command].flatMap((project) => ['--project', project]);
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const listed = spawnSync(process.execPath, [vitest, 'list', '--filesOnly', '--json', ...projects], { cwd: root });
    const rows = JSON.parse(listed.stdout.toString()) as { file: string }[];
    return rows.map(({ file }) => relative(join(root, 'test'), file));
  };
  const longer = ['crash', 'cosign', 'others', 'engines'] as const;
  const others = longer.flatMap((command) => {
    const own = files(command);
    expect(own.every((file) => file.startsWith(`${command}/`))).toBe(true);
    return own;
  });
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.test.ts'),
  );
  expect([...files('test'), ...others].toSorted()).toEqual(all.toSorted());
});
