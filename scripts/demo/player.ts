/**
 * Runs the commands of the demo as a user would, shows them with their output, checks how they ended, and keeps a row
 * for each: its time, and what the visitors saw of it.
 */
import type { Readable } from 'node:stream';
import { childEnvironment } from '../../infra/system/environment.ts';
import { startProcess } from '../../infra/system/process.ts';
import { durationText } from '../tools/format.ts';
import { lockageProgram } from './project.ts';
import { screen } from './screen.ts';
import { folders, hostsOf, publicPort, type Computer, type Stage } from './stage.ts';
import type { EnvironmentName } from './targets.ts';
import { Traffic, type Seen } from './traffic.ts';
import { versionAt } from './visitor.ts';

/** No command of the demo takes this long; one that hangs must not hang the demo. */
const maxTime = 600_000;
/** The time that a visitor of a busy machine waits for an answer. */
const answerTimeout = 30_000;

/** A promise of the demo that does not hold. */
export class NotHeld extends Error {
  override readonly name = 'NotHeld';
}

/** A row of the table at the end. */
export interface Row {
  readonly step: string;
  readonly ms: number;
  readonly result: string;
  readonly seen?: Seen;
  readonly note: string;
}

/** The output of a command with --json. */
export interface Answer {
  readonly revision?: { readonly number: number; readonly duration: number };
  readonly bytesMoved?: Readonly<Record<string, number>>;
  readonly trafficBack?: number;
  readonly digest?: string;
  readonly error?: { readonly message: string };
}

export interface Ended {
  readonly answer: Answer;
  readonly stdout: string;
  readonly ms: number;
}

interface JudgeOptions {
  readonly code?: number;
  readonly json?: boolean;
  readonly note?: (ended: Ended) => string;
  /** where it runs, if not in the project on the computer that builds */
  readonly at?: Place;
  /** variables of whoever runs it */
  readonly env?: Readonly<Record<string, string>>;
  /** its output is not shown: it is what somebody else's program says */
  readonly quiet?: boolean;
}

interface Place {
  readonly folder: string;
  readonly computer: Computer;
  /** it runs on that computer's own loopback */
  readonly isInside?: boolean;
}

/** The end of a command, with its stdout. */
interface Run {
  readonly code: number | null;
  readonly stdout: string;
}

const nothing: Run = { code: null, stdout: '' };
/** The exit code of a command that another one keeps from beginning. */
const lockedCode = 75;

/** A way into an environment, as a visitor takes it: a host, a machine, or a manager of a swarm. */
interface Door {
  readonly name: string;
  readonly url: string;
}

export class Player {
  readonly stage: Stage;
  readonly traffic: Traffic;
  readonly rows: Row[] = [];
  /** what did not hold */
  readonly broken: string[] = [];
  readonly #keepGoing: boolean;
  readonly #machines = new Map<EnvironmentName, readonly Door[]>();

  constructor(stage: Stage, keepGoing: boolean) {
    this.stage = stage;
    this.traffic = new Traffic(stage.visitors);
    this.#keepGoing = keepGoing;
  }

  /**
   * Returns the addresses that visitors of the environment use; of machines that the environment makes itself, once
   * they are made.
   */
  async doors(environment: EnvironmentName): Promise<readonly Door[]> {
    if (!this.stage.machines[environment])
      return hostsOf(this.stage, environment).map(({ target, url }) => ({ name: target.name, url }));
    const known = this.#machines.get(environment);
    if (known) return known;
    const { code, stdout } = await this.#run(['host', 'ls', environment, '--json'], true);
    if (code !== 0) throw new NotHeld(`\`lockage host ls ${environment}\` ended with exit code ${code}`);
    const { hosts } = JSON.parse(stdout) as { hosts: { name: string; address: string }[] };
    const doors = hosts.map(({ name, address }) => ({ name, url: `http://${address}:${publicPort}/` }));
    this.#machines.set(environment, doors);
    return doors;
  }

  async urls(environment: EnvironmentName): Promise<string[]> {
    return (await this.doors(environment)).map(({ url }) => url);
  }

  /**
   * Runs a command of Lockage, which must end with that exit code and without a visitor noticing it. `note` adds to the
   * table what is worth knowing about it.
   */
  async lockage(words: readonly string[], options: JudgeOptions = {}): Promise<Ended> {
    screen.command(['lockage', ...words]);
    const [startedAt, started] = [Date.now(), performance.now()];
    const ended = await this.#run(words, options.json ?? options.quiet ?? false, options);
    const ms = performance.now() - started;
    return this.#judge(words, { ...ended, ms, startedAt }, options);
  }

  /**
   * Runs two commands at once, as two operators do: one of them must be done, and the other one told that somebody else is
   * at it. Returns which was done.
   */
  async together(first: readonly string[], second: readonly string[]): Promise<0 | 1> {
    const both = [first, second] as const;
    for (const words of both) screen.command(['lockage', ...words]);
    const [startedAt, started] = [Date.now(), performance.now()];
    const ended = await Promise.all(both.map((words) => this.#run(words, true)));
    const ms = performance.now() - started;
    const done = ended[0]?.code === 0 ? 0 : 1;
    for (const index of [done, 1 - done] as const) {
      const code = index === done ? 0 : lockedCode;
      await this.#judge(both[index] ?? [], { ...(ended[index] ?? nothing), ms, startedAt }, { code, json: true });
    }
    return done;
  }

  async #judge(words: readonly string[], ended: Run & { ms: number; startedAt: number }, options: JudgeOptions) {
    const { code = 0, json = false, note = () => '' } = options;
    const { ms, startedAt, stdout } = ended;
    const seen = await this.traffic.sinceLast();
    const answer = parse(json ? stdout : '');
    // What somebody else's program is told is long, and says nothing here.
    const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
    const step = own.filter((word) => !word.startsWith('--') || ['--to', '--from'].includes(word)).join(' ');
    const held = ended.code === code;
    const result = code === 0 && held ? 'done' : `exit ${ended.code}${held ? ', as it must' : `, not ${code}`}`;
    this.rows.push({ step, ms, result, ...(seen ? { seen } : {}), note: held ? note({ answer, stdout, ms }) : '' });
    const took = `exit code ${ended.code} after ${durationText(ms)}${seen ? `; ${seenText(seen)}` : ''}`;
    this.check(held, took, `\`lockage ${step}\`: ${took}; expected was exit code ${code}`);
    if (seen && seen.failed > 0) {
      for (const line of this.traffic.failures(startedAt)) screen.quote(line);
      this.check(false, '', `visitors saw ${seen.failed} failed requests during \`lockage ${step}\``);
    }
    return { answer, stdout, ms };
  }

  /** Adds to the table what is worth knowing about the command that ran last. */
  annotate(note: string): void {
    const row = this.rows.pop();
    if (row) this.rows.push({ ...row, note });
  }

  /** Checks that every host of the environment answers with the version. */
  async serves(environment: EnvironmentName, version: string): Promise<void> {
    const found = await Promise.all(
      (await this.doors(environment)).map(async ({ name, url }) => ({
        name,
        version: await versionAt(url, answerTimeout),
      })),
    );
    const text = found.map((host) => `${host.name} ${host.version ?? 'nothing'}`).join(', ');
    const names = found.map(({ name }) => name).join(', ');
    this.check(
      found.every((host) => host.version === version),
      `${names} ${found.length === 1 ? 'answers' : 'answer'} with ${version}`,
      `${environment} should answer with ${version} everywhere: ${text}`,
    );
  }

  /** Prints what held, or what did not; then it throws NotHeld, unless the demo goes on after failures. */
  check(isTrue: boolean, held: string, otherwise: string): void {
    if (isTrue) return screen.held(held);
    if (!this.#keepGoing) throw new NotHeld(otherwise);
    screen.failed(otherwise);
    this.broken.push(otherwise);
  }

  async #run(
    words: readonly string[],
    json: boolean,
    { at, env }: Pick<JudgeOptions, 'at' | 'env'> = {},
  ): Promise<Run> {
    const { folder, computer, isInside = false } = at ?? { folder: folders().project, computer: this.stage.builder };
    const inside = isInside && computer.network ? ['nsenter', `--net=${computer.network}`] : [];
    const child = startProcess([...inside, process.execPath, lockageProgram(), ...words], {
      cwd: folder,
      env: childEnvironment({ DOCKER_HOST: computer.docker, ...env }),
      timeout: maxTime,
    });
    child.stdin.on('error', () => undefined).end();
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const [code, stdout] = await Promise.all([ended, showOutput(child.stdout, !json), showOutput(child.stderr, true)]);
    return { code, stdout };
  }
}

/**
 * Shows the output of a command, but not that of programs it runs: it indents those lines further itself. Returns all
 * of it.
 */
async function showOutput(stream: Readable, shown: boolean): Promise<string> {
  const quote = (line: string) => {
    if (!/^ {10}/.test(line)) screen.quote(line);
  };
  let text = '';
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    text += chunk;
    if (!shown) continue;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) quote(line);
  }
  if (shown && rest !== '') quote(rest);
  return text;
}

function parse(text: string): Answer {
  if (text.trim() === '') return {};
  return JSON.parse(text) as Answer;
}

function seenText({ requests, failed }: Seen): string {
  return `${requests.toLocaleString('en')} requests meanwhile, ${failed} failed`;
}
