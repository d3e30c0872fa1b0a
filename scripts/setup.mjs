// Set-up, from a fresh clone to a ready machine. This half runs before there are npm packages, so it is plain
// JavaScript over Node alone: it installs the packages, builds dist/, and hands over to dist/setup.mjs.
//
//   node scripts/setup.mjs                everything, with a line for each step
//   node scripts/setup.mjs --engine 29    also Docker Engine 29 for hosts of the lab: minutes more, the first time
import './setup/refuse-old-node.mjs';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withLock } from './setup/lock.mjs';

const root = resolve(import.meta.dirname, '..');
const packagesStamp = join(root, 'node_modules', '.lockage-packages');
const buildStamp = join(root, 'dist', '.sources');
const titleWidth = 20;

/** What the bundles are made from. */
const sources = ['infra', 'pipelines', 'environments', 'scripts', 'test/bench', 'test/support', 'package-lock.json'];

/**
 * @typedef {{ line(text: string): void, quiet?: boolean }} Output
 * @typedef {{ name: string, why: string, ready(): string | undefined, run(): Promise<string> }} FirstStep
 */

/** @type {FirstStep[]} */
const firstSteps = [
  {
    name: 'npm packages',
    why: 'the libraries of package-lock.json',
    ready: () => (isStamped(packagesStamp, lockHash()) || isInstalled() ? 'installed' : undefined),
    async run() {
      const hash = lockHash();
      if (!isInstalled()) await command('npm', ['ci', '--loglevel=error']);
      await writeFile(packagesStamp, hash);
      return 'npm ci';
    },
  },
  {
    name: 'build',
    why: 'bundles the sources into dist/',
    ready: () => (isStamped(buildStamp, sourcesHash()) && isLinked() ? 'up to date' : undefined),
    async run() {
      const hash = sourcesHash();
      await command(process.execPath, [join('scripts', 'build.mjs')]);
      await linkCommand();
      await writeFile(buildStamp, hash);
      return 'bundled into dist/';
    },
  },
];

/**
 * npm packages and dist/, made where they are missing or older than their sources.
 * @param {Output} output
 * @returns {Promise<boolean>}
 */
export async function prepareClone(output) {
  for (const step of firstSteps) {
    const title = step.name.padEnd(titleWidth);
    const started = performance.now();
    try {
      const found = step.ready();
      if (found === undefined) output.line(`… ${title}  ${step.why}`);
      const how =
        found ??
        (await withLock(
          join(root, '.setup-lock'),
          async () => step.ready() ?? (await step.run()),
          () => output.line('    another set-up of this clone is at it: waiting'),
        ));
      const took = found === undefined ? `  ${((performance.now() - started) / 1000).toFixed(1)} s` : '';
      if (found === undefined || !output.quiet) output.line(`✓ ${title}  ${how}${took}`);
    } catch (error) {
      output.line(`✗ ${step.name}  failed`);
      output.line(`    ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }
  return true;
}

/**
 * The clone and then the machine: Docker Engine, Pulumi and what else dist/setup.mjs lists.
 * @param {Output} output
 * @param {{ engine?: string }} [choices]
 * @returns {Promise<boolean>}
 */
export async function setUp(output, choices) {
  if (!(await prepareClone(output))) return false;
  const { setUpMachine } = await import(pathToFileURL(join(root, 'dist', 'setup.mjs')).href);
  return await setUpMachine(output, choices);
}

/**
 * Takes `--engine 29` out of arguments. Throws an error that names what is allowed.
 * @param {string[]} words
 * @returns {{ choices: { engine?: string }, rest: string[] }}
 */
export function chosenEngine(words) {
  const at = words.findIndex((word) => word === '--engine' || word.startsWith('--engine='));
  const word = words[at];
  if (word === undefined) return { choices: {}, rest: words };
  const isApart = word === '--engine';
  const engine = isApart ? words[at + 1] : word.slice('--engine='.length);
  if (engine !== '29') throw new Error(`--engine takes 29, and not ${engine ?? 'nothing'}`);
  return { choices: { engine }, rest: words.toSpliced(at, isApart ? 2 : 1) };
}

function lockHash() {
  return hashOf([join(root, 'package-lock.json')]);
}

function sourcesHash() {
  return hashOf(sources.flatMap((name) => filesBelow(join(root, name))));
}

/** @param {string} path @returns {string[]} */
function filesBelow(path) {
  if (!existsSync(path) || basename(path) === 'node_modules' || path === join(root, 'scripts', 'setup', 'go'))
    return [];
  try {
    return readdirSync(path)
      .toSorted()
      .flatMap((name) => filesBelow(join(path, name)));
  } catch {
    return [path];
  }
}

/** @param {string[]} files */
function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(file));
  return hash.digest('hex');
}

/** @param {string} stamp @param {string} hash */
function isStamped(stamp, hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
}

// npm writes down what it installed: after `npm install` by hand there is nothing left to do for `npm ci`.
function isInstalled() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  /** @param {string} file @returns {Record<string, { version: string, optional?: boolean }>} */
  const packages = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const wanted = packages(join(root, 'package-lock.json'));
  const have = packages(record);
  return (
    Object.entries(wanted).every(([path, { version, optional }]) =>
      path === '' || (optional && !have[path]) ? true : have[path]?.version === version,
    ) && Object.keys(have).every((path) => path in wanted)
  );
}

const ownCommand = join(root, 'node_modules', '.bin', 'lockage');

function isLinked() {
  return existsSync(ownCommand) || !existsSync(join(root, 'dist', 'lockage.mjs'));
}

// npm links the commands of dependencies, not of the package itself; with this, `npx lockage` works in the clone.
async function linkCommand() {
  if (isLinked()) return;
  await mkdir(dirname(ownCommand), { recursive: true });
  await symlink(join('..', '..', 'dist', 'lockage.mjs'), ownCommand);
}

const thirtyMinutes = 30 * 60_000;

/** @param {string} file @param {string[]} args */
async function command(file, args) {
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: thirtyMinutes });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (text = (text + chunk).slice(-100_000)));
  const code = await new Promise((done) => {
    child.on('error', (error) => done(error.message));
    child.on('close', (exit, signal) => done(exit ?? signal));
  });
  if (code === 0) return;
  const lines = text.trimEnd().split('\n').slice(-30);
  throw new Error(
    [`\`${[file, ...args].join(' ')}\` in ${root} failed: ${code}`, ...lines, 'What to do: run it by hand there.'].join(
      '\n    ',
    ),
  );
}

if (process.argv[1] && resolve(process.argv[1]) === import.meta.filename) {
  process.once('SIGINT', () => process.exit(130));
  try {
    const { choices, rest } = chosenEngine(process.argv.slice(2));
    if (rest.length > 0) throw new Error(`set-up takes \`--engine 29\` only, and not ${rest.join(' ')}`);
    process.exit((await setUp({ line: (text) => console.log(text) }, choices)) ? 0 : 1);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}
