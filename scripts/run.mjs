// Runs a program of this clone after making sure of what it needs:
//
//   node scripts/run.mjs demo [args]        the demo
//   node scripts/run.mjs bench [args]       the benchmark
//   node scripts/run.mjs soak [args]        the soak
//   node scripts/run.mjs test [args]        all tests; vitest takes the args; --engine 29: the lab's hosts have that engine
//   node scripts/run.mjs test:fast [args]   the tests that need no Docker Engine
//   node scripts/run.mjs crash [args]       every operation, cut short at every point: hours
//   node scripts/run.mjs cosign [args]      evidence with cosign and syft, which are built first
//   node scripts/run.mjs others [args]      databases in the test runners of other languages, which have to be installed
//   node scripts/run.mjs engines [args]     the promises on Docker Engine 29, which is built first
import './setup/refuse-old-node.mjs';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chosenEngine, prepareClone, setUp } from './setup.mjs';
import { testProjects } from './test-projects.mjs';

const root = resolve(import.meta.dirname, '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const demo = join(root, 'dist', 'demo.mjs');
const bench = join(root, 'dist', 'bench.mjs');
const soak = join(root, 'dist', 'soak.mjs');
const output = { line: (/** @type {string} */ text) => console.log(text), quiet: true };

const [name = '', ...words] = process.argv.slice(2);
const { choices, rest: args } = engineAsked(words);
// Cleaning up and asking for help must not install anything on the machine first.
const leavesMachineAlone = args.includes('--clean') || args.includes('--help');

const chooses = args.some((word) => word.startsWith('--project'));

/** @type {Record<string, { program: string, args: string[], ready: () => Promise<boolean> }>} */
const programs = {
  demo: { program: demo, args, ready: async () => (leavesMachineAlone ? await built(demo) : await setUp(output)) },
  bench: { program: bench, args, ready: async () => (leavesMachineAlone ? await built(bench) : await setUp(output)) },
  soak: { program: soak, args, ready: async () => (leavesMachineAlone ? await built(soak) : await setUp(output)) },
  test: {
    program: vitest,
    args: ['run', ...(chooses ? [] : projects('test')), ...args],
    ready: () => setUp(output, choices),
  },
  crash: { program: vitest, args: ['run', ...projects('crash'), ...args], ready: () => setUp(output) },
  cosign: { program: vitest, args: ['run', ...projects('cosign'), ...args], ready: () => setUp(output) },
  others: { program: vitest, args: ['run', ...projects('others'), ...args], ready: () => setUp(output) },
  engines: {
    program: vitest,
    args: ['run', ...projects('engines'), ...args],
    ready: () => setUp(output, { engine: '29' }),
  },
  'test:fast': { program: vitest, args: ['run', ...projects('test:fast'), ...args], ready: () => prepareClone(output) },
};

const chosen = programs[name];
if (!chosen) {
  console.error(`no program ${JSON.stringify(name)}; there are: ${Object.keys(programs).join(', ')}`);
  process.exit(2);
}
process.once('SIGINT', () => process.exit(130));
if (!(await chosen.ready())) process.exit(1);
process.removeAllListeners('SIGINT');
// Ctrl-C reaches the program by itself, from the terminal; how it ends is its own business.
process.on('SIGINT', () => undefined);
const env = choices.engine === undefined ? process.env : { ...process.env, LOCKAGE_LAB_ENGINE: choices.engine };
const child = spawn(process.execPath, [chosen.program, ...chosen.args], { cwd: root, env, stdio: 'inherit' });
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));

/** @param {string[]} given */
function engineAsked(given) {
  try {
    return chosenEngine(given);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

/** @param {string} program */
async function built(program) {
  return existsSync(program) || (await prepareClone(output));
}

/** @param {keyof typeof testProjects} command */
function projects(command) {
  return testProjects[command].flatMap((project) => ['--project', project]);
}
