/**
 * `npm run demo`: the whole pipeline on hosts of its own, with visitors in prod that count every failed request. See
 * story.ts for what happens. The lab stays up afterwards.
 */
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { withLock } from '../setup/lock.mjs';
import { cacheLock } from '../tools/cache.ts';
import { CommandError } from '../tools/command.ts';
import { durationText } from '../tools/format.ts';
import { clean } from './clean.ts';
import { NotHeld, Player } from './player.ts';
import { targetsOf, writeProject } from './project.ts';
import { screen } from './screen.ts';
import { canHaveBareHosts, folders, setStage, type Stage } from './stage.ts';
import { opening, story } from './story.ts';
import { latencyLine, sayHowToGoOn, tableLines } from './summary.ts';
import { targetKindNamed, targetKinds, type TargetKindName } from './targets.ts';

const help = `Usage: npm run demo [-- options]

Shows releases going from dev to prod, a rollback, and three releases that fail, under constant load; then prod on a laptop.

Options:
  --targets KIND  what the environments run on; only \`targets:\` of environments/*.yaml differs (default hosts):
${Object.entries(targetKinds)
  .map(([name, { what }]) => `                    ${name.padEnd(7)} ${what}`)
  .join('\n')}
  --only NAME     the opening and one scene:
${scenesText()}
  --one-engine    all environments on the Docker Engine that answers, instead of a lab
  --keep-going    play on after something has not held
  --clean         remove what the demo left: lab, machines, folder, connections
  --help          this text`;

/** Returns the names of scenes that can be asked for, in lines. */
function scenesText(): string {
  const names = story.map(({ name }) => name).filter((name) => !opening.has(name));
  return `                    ${names.join(', ')}`;
}

interface Options {
  readonly only?: string;
  readonly targets?: TargetKindName;
  readonly 'one-engine'?: boolean;
  readonly 'keep-going'?: boolean;
  readonly clean?: boolean;
  readonly help?: boolean;
}

let stopped = false;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (!options || options.help) {
    screen.line(help);
    return options ? 0 : 2;
  }
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const waits = () => screen.line('another demo runs on this machine: waiting for its end');
  return await withLock(cacheLock('demo'), async () => (options.clean ? removeAll() : demo(options)), waits);
}

function readOptions(args: string[]): Options | undefined {
  const flag = { type: 'boolean' } as const;
  const options = {
    targets: { type: 'string' },
    only: { type: 'string' },
    'one-engine': flag,
    'keep-going': flag,
    clean: flag,
    help: flag,
  } as const;
  try {
    const { targets, ...flags } = parseArgs({ args, options }).values;
    if (flags.only !== undefined && !story.some(({ name }) => name === flags.only)) {
      screen.failed(`there is no scene ${JSON.stringify(flags.only)}; there are: ${scenesText().trim()}`);
      return undefined;
    }
    if (targets === undefined) return flags;
    const found = targetKindNamed(targets);
    if ('name' in found && !flags['one-engine']) return { ...flags, targets: found.name };
    screen.failed('problem' in found ? found.problem : '--targets and --one-engine exclude each other');
    return undefined;
  } catch (error) {
    screen.failed(messageOf(error));
    return undefined;
  }
}

async function removeAll(): Promise<number> {
  screen.line((await clean()) ? `removed the demo's lab and ${folders().home}` : 'there is nothing of the demo');
  return 0;
}

async function demo(options: Options): Promise<number> {
  const started = performance.now();
  const hasLab = !options['one-engine'] && canHaveBareHosts();
  if (options.targets !== undefined && !hasLab) {
    screen.failed(`--targets ${options.targets} needs hosts of its own: run the demo as root on Linux`);
    return 2;
  }
  const stage = await prepare(hasLab ? (options.targets ?? 'hosts') : 'one-engine');
  if (options.targets !== undefined) quoteTargets(stage);
  const keepGoing = options['keep-going'] ?? false;
  const player = new Player(stage, keepGoing);
  const failed = await play(player, keepGoing, options.only);
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
  const hosts = kind === 'one-engine' ? 'this Docker Engine' : `${targetKinds[kind].what}; and a laptop`;
  screen.heading(`The stage: ${hosts}`);
  const started = performance.now();
  if (await clean()) screen.quote('removed what an earlier run left');
  const stage = await setStage(kind, (line) => screen.quote(line));
  await writeProject(stage);
  screen.held(`lab and project in ${folders().home} after ${durationText(performance.now() - started)}`);
  return stage;
}

/** Shows what makes this kind different from the others, as a user writes it. */
function quoteTargets(stage: Stage): void {
  screen.line('\n  environments/prod.yaml has what makes the difference:');
  for (const line of stringify({ targets: targetsOf(stage, 'prod') })
    .trimEnd()
    .split('\n'))
    screen.quote(line);
}

/** Plays the scenes; returns what did not hold. */
async function play(player: Player, keepGoing: boolean, only: string | undefined): Promise<string[]> {
  const failed = player.broken;
  const chosen = story
    .filter(({ name }) => only === undefined || name === only || opening.has(name))
    .filter(({ unless }) => !unless?.(player.stage));
  for (const [index, scene] of chosen.entries()) {
    if (stopped || (failed.length > 0 && !keepGoing)) break;
    const title = typeof scene.title === 'string' ? scene.title : scene.title(player.stage);
    screen.heading(`${index + 1}  ${title}`);
    try {
      await scene.play(player);
    } catch (error) {
      screen.failed(describeError(error));
      failed.push(`scene ${index + 1}: ${messageOf(error)}`);
    }
  }
  if (stopped) failed.push('stopped before the end');
  return failed;
}

/** Ends the demo after the running command, which gets Ctrl-C itself, from the terminal. */
function stop(): void {
  if (stopped) process.exit(130);
  stopped = true;
  screen.line('\nending after this command; once more to end at once. `npm run demo -- --clean` removes everything.');
}

/** Describes an error: in words if it is foreseen, else with its stack. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const foreseen = error instanceof NotHeld || error instanceof LockageError || error instanceof CommandError;
  return foreseen ? error.message : (error.stack ?? error.message);
}

try {
  process.exit(await main());
} catch (error) {
  screen.failed(describeError(error));
  process.exit(1);
}
