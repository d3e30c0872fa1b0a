// Runs the fast tests and the demo's first releases on other versions of Node.js, which come from the npm registry:
//
//   node scripts/nodes.mjs            on those that all other commands do not run on
//   node scripts/nodes.mjs 22         on one of them
import './setup/refuse-old-node.mjs';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** What is tried, by the number that one asks for. */
const versions = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' };
const usual = ['22', '24'];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in versions));
if (unknown.length > 0) {
  console.error(`no Node.js ${unknown.join(', ')} here; there are: ${Object.keys(versions).join(', ')}`);
  process.exit(2);
}

/** @type {string[]} */
const failed = [];
for (const name of asked.length > 0 ? asked : usual) {
  const version = versions[/** @type {'20' | '22' | '24'} */ (/** @type {unknown} */ (name))];
  const folder = await openToAll(await folderOf(version));
  const run = (/** @type {string[]} */ ...words) => succeeds(join(folder, 'node'), words, folder);
  for (const words of [['test:fast'], ['demo', '--only', 'first']]) {
    console.log(`\nNode.js ${version}: npm run ${words.join(' ')}`);
    if (!(await run('scripts/run.mjs', ...words))) failed.push(`${words[0]} on Node.js ${version}`);
  }
  await run('scripts/run.mjs', 'demo', '--clean');
  await rm(folder, { recursive: true, force: true });
}
for (const what of failed) console.error(`failed: ${what}`);
process.exit(failed.length === 0 ? 0 : 1);

/**
 * Returns the folder of a Node.js, fetched when it is first needed. The package with the program itself is taken, whose
 * installation runs nothing.
 * @param {string} version
 */
async function folderOf(version) {
  const cache =
    process.env['LOCKAGE_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lockage');
  const name = `node-${process.platform}-${process.arch}`;
  const kept = join(cache, 'bin', `node-${version}`);
  const folder = join(kept, 'node_modules', name, 'bin');
  if (existsSync(join(folder, 'node'))) return folder;
  const draft = `${kept}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  const words = ['install', '--prefix', draft, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund'];
  if (!(await succeeds('npm', [...words, `${name}@${version}`]))) {
    await rm(draft, { recursive: true, force: true });
    console.error(`the npm registry gave no ${name}@${version}`);
    process.exit(1);
  }
  await rm(kept, { recursive: true, force: true });
  await rename(draft, kept);
  return folder;
}

/**
 * Returns a folder with the same program that other users reach, too: some tests run as one, and a home is often closed.
 * @param {string} kept
 */
async function openToAll(kept) {
  const folder = await mkdtemp(join(tmpdir(), 'lockage-node-'));
  await chmod(folder, 0o755);
  await copyFile(join(kept, 'node'), join(folder, 'node'));
  return folder;
}

/**
 * @param {string} program
 * @param {string[]} words
 * @param {string} [first] folder in which programs are looked for first
 * @returns {Promise<boolean>}
 */
async function succeeds(program, words, first) {
  const PATH = [...(first === undefined ? [] : [first]), process.env['PATH']].join(delimiter);
  const child = spawn(program, words, { cwd: root, env: { ...process.env, PATH }, stdio: 'inherit' });
  return await new Promise((done) => {
    child.on('error', () => done(false));
    child.on('exit', (code) => done(code === 0));
  });
}
