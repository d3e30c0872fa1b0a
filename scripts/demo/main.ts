/**
 * `npm run demo`: the whole pipeline on hosts of its own, with visitors in prod that count every failed request. See
 * story.ts for what happens. The lab stays up afterwards.
 */
import { parseArgs } from 'node:util';
import { LockageError } from '../../pipelines/errors.ts';
import { durationText } from '../format.ts';
import { CommandError } from '../lab/command.ts';
import { cacheLock } from '../setup/cache.ts';
import { withLock } from '../setup/lock.mjs';
import { clean } from './clean.ts';
import { NotHeld, Player } from './player.ts';
import { writeProject } from './project.ts';
import { screen } from './screen.ts';
import { canHaveBareHosts, folders, setStage, type Stage } from './stage.ts';
import { story } from './story.ts';
import { latencyLine, sayHowToGoOn, tableLines } from './summary.ts';

const help = `Usage: npm run demo [-- options]

Shows releases going from dev to prod, a rollback, and three releases that fail, under constant load.

Options:
  --one-engine  all environments on the Docker Engine that answers, instead of a lab of bare hosts
  --keep-going  play on after something has not held
  --clean       remove what the demo left: lab, folder, connections
  --help        this text`;

interface Options {
  readonly 'one-engine'?: boolean;
  readonly 'keep-going'?: boolean;
  readonly clean?: boolean;
  readonly help?: boolean;
}

let stopped = false;

async function main(): Promise<number> {
  const options = read(process.argv.slice(2));
  if (!options || options.help) {
    screen.line(help);
    return options ? 0 : 2;
  }
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const waits = () => screen.line('another demo runs on this machine: waiting for its end');
  return await withLock(cacheLock('demo'), async () => (options.clean ? removeAll() : demo(options)), waits);
}

function read(args: string[]): Options | undefined {
  const flag = { type: 'boolean' } as const;
  const options = { 'one-engine': flag, 'keep-going': flag, clean: flag, help: flag };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    screen.failed(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function removeAll(): Promise<number> {
  screen.line((await clean()) ? `removed the demo's lab and ${folders().home}` : 'there is nothing of the demo');
  return 0;
}

async function demo(options: Options): Promise<number> {
  const started = performance.now();
  const kind = options['one-engine'] || !canHaveBareHosts() ? 'one-engine' : 'bare';
  const stage = await prepare(kind);
  const keepGoing = options['keep-going'] ?? false;
  const player = new Player(stage, keepGoing);
  const failed = await play(player, keepGoing);
  const loads = await player.traffic.stopAll();
  const lost = loads.reduce((sum, stats) => sum + stats.failed, 0);
  if (lost > 0) failed.push(`${lost} requests of visitors failed`);

  screen.heading(
    failed.length === 0 ? `All of it held, in ${durationText(performance.now() - started)}` : 'Not all of it held',
  );
  screen.line();
  for (const line of tableLines(player.rows, loads)) screen.line(`  ${line}`);
  const latency = latencyLine(loads);
  if (latency) screen.line(`\n  ${latency}`);
  if (failed.length > 0) screen.line();
  for (const line of failed) screen.failed(line);
  sayHowToGoOn(stage);
  if (stopped) return 130;
  return failed.length === 0 ? 0 : 1;
}

async function prepare(kind: Stage['kind']): Promise<Stage> {
  const hosts = kind === 'bare' ? 'a lab of bare hosts: dev 1, qa 1, uat 2, prod 3' : 'this Docker Engine';
  screen.heading(`The stage: ${hosts}`);
  const started = performance.now();
  if (await clean()) screen.quote('removed what an earlier run left');
  const stage = await setStage(kind, (line) => screen.quote(line));
  await writeProject(stage);
  screen.held(`lab and project in ${folders().home} after ${durationText(performance.now() - started)}`);
  return stage;
}

/** Plays the scenes; gives what did not hold. */
async function play(player: Player, keepGoing: boolean): Promise<string[]> {
  const failed = player.broken;
  for (const [index, scene] of story.entries()) {
    if (stopped || (failed.length > 0 && !keepGoing)) break;
    screen.heading(`${index + 1}  ${scene.title}`);
    try {
      await scene.play(player);
    } catch (error) {
      screen.failed(said(error));
      failed.push(`scene ${index + 1}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (stopped) failed.push('stopped before the end');
  return failed;
}

/** The running command hears of Ctrl-C itself, from the terminal; after it the demo ends. */
function stop(): void {
  if (stopped) process.exit(130);
  stopped = true;
  screen.line('\nending after this command; once more to end at once. `npm run demo -- --clean` removes everything.');
}

/** In words where it is foreseen, else with its stack. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const foreseen = error instanceof NotHeld || error instanceof LockageError || error instanceof CommandError;
  return foreseen ? error.message : (error.stack ?? error.message);
}

try {
  process.exit(await main());
} catch (error) {
  screen.failed(said(error));
  process.exit(1);
}
