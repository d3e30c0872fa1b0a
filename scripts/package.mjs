// Makes lockage-VERSION.tgz: the bundled command line with what it needs to run, and no packages beside it.
//
//   node scripts/package.mjs [FOLDER]       where the file is written; this one unless named
import './setup/refuse-old-node.mjs';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { prepareClone } from './setup.mjs';

const root = resolve(import.meta.dirname, '..');
const target = resolve(process.argv[2] ?? '.');
/** What a user reads, and what `init` and editors take from the package. */
const files = ['environments', 'docs', 'Pulumi.yaml', 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE'];

if (!(await prepareClone({ line: (text) => console.log(text), quiet: true }))) process.exit(1);
const folder = mkdtempSync(join(tmpdir(), 'lockage-package-'));
try {
  run(process.execPath, [join(root, 'scripts', 'build.mjs'), '--into', join(folder, 'dist')]);
  for (const file of files) cpSync(join(root, file), join(folder, file), { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest(), undefined, 2)}\n`);
  run('npm', ['pack', '--silent', '--pack-destination', target], folder);
} finally {
  rmSync(folder, { recursive: true });
}

/** The libraries are inside the bundles, so that an installation brings nothing else. */
function manifest() {
  const {
    dependencies: _,
    devDependencies: __,
    scripts: ___,
    private: ____,
    ...rest
  } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return { ...rest, files: ['dist', ...files] };
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} [cwd]
 */
function run(program, args, cwd) {
  const { status, error } = spawnSync(program, args, { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${program} ${args[0]} ended with ${status ?? error?.message}`);
}
