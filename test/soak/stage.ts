/** The hosts, releases and visitors of a soak, and the command line as operators use it. */
import { randomBytes, createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { command } from '../support/engine-fixture.ts';
import { TestProject, type Behaviour, type CommandResult, type RunningCommand } from '../support/pipeline-fixture.ts';
import type { BareHost } from '../../scripts/lab/lab.ts';
import type { Lost } from './journal.ts';
import type { Random } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { Visitors } from './visitors.ts';

/** The environment that is soaked. */
export const environment = 'prod';
/** Milliseconds in which a host has to come back by itself, also on a busy machine. */
const returnTime = 120_000;
/** Releases that are promoted: retention keeps as many. */
const kept = 4;
/** Milliseconds in which an operator stops a command, if not done by then. */
const somewhere = [200, 9000] as const;

/** A command that was given to somebody, and may be stopped. */
interface Attempt {
  readonly words: readonly string[];
  readonly running: RunningCommand;
  /** the signal that it was sent; a command that takes too long is killed, too */
  readonly sent?: NodeJS.Signals;
}

/** A way back, as `status` has it. */
export interface WayBack {
  readonly version: string;
  readonly revision: number;
}

/** What is known of the environment after the last step. */
export interface Known {
  /** number of the last good revision */
  readonly revision: number;
  readonly hold: boolean;
  readonly ways: readonly WayBack[];
}

/** An environment with visitors, and what is known of it. */
export class Stage {
  readonly project: TestProject;
  readonly visitors: Visitors;
  readonly secretHash: string;
  /** what is in the volume of the accessory */
  readonly data = randomBytes(16).toString('hex');
  /** versions that may serve now; after a step it is one */
  serves: readonly string[] = [];
  known: Known = { revision: 0, hold: false, ways: [] };
  readonly #recorder: Recorder;
  #closed = false;
  #good: string[] = [];
  #releases = 0;

  private constructor(project: TestProject, visitors: Visitors, recorder: Recorder) {
    this.project = project;
    this.visitors = visitors;
    this.#recorder = recorder;
    const secret = randomBytes(24).toString('hex');
    this.secretHash = createHash('sha256').update(secret).digest('hex');
    project.env['TOKEN'] = secret;
    project.env['LOCKAGE_ACTOR'] = 'anna';
  }

  /** Makes hosts, releases and the environment, and lets visitors in. */
  static async open(visitors: Visitors, recorder: Recorder): Promise<Stage> {
    const project = await TestProject.open({ environments: { [environment]: { hosts: 3, reach: 'ssh' } } });
    const stage = new Stage(project, visitors, recorder);
    try {
      await stage.#begin();
      return stage;
    } catch (error) {
      await project.remove();
      throw error;
    }
  }

  /** Takes everything away, also while a step is played. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.project.remove();
  }

  async #begin(): Promise<void> {
    const { project } = this;
    const health = { path: '/healthz', timeout: '20s' };
    const web = { port: 8080, publish: 8000, health, secrets: ['TOKEN'], stop: '5s' };
    const worker = { health: { running: '1s' }, secrets: ['TOKEN'], stop: '1s' };
    const image = `${project.lab.registry}/lockage-base/edge`;
    const cache = { image, command: ['sleep', '86400'], init: true, host: 'prod-1', volumes: { data: '/data' } };
    const secrets = { TOKEN: { env: 'TOKEN' } };
    await project.configure({ roles: { web, worker }, accessories: { cache }, secrets, watch: '3s' });
    for (const version of [await this.release(), await this.release()]) {
      await project.succeed('promote', version, '--to', environment);
      this.serves = [version];
    }
    await this.keepData();
    await this.visitors.start(this.doors());
  }

  /** Writes the data of the accessory. */
  async keepData(): Promise<void> {
    const write = `echo ${this.data} > /data/kept`;
    await this.docker('prod-1', 'exec', '--user', '0', 'trial-prod-cache', 'sh', '-c', write);
  }

  doors(): { readonly name: string; readonly url: string }[] {
    const urls = this.project.urls(environment);
    return this.hosts.map(({ name }, index) => ({ name, url: urls[index] ?? '' }));
  }

  get hosts(): readonly BareHost[] {
    return this.project.hosts(environment);
  }

  /** Notes something that is not as it has to be. */
  wrong(text: string, lost?: Lost): void {
    this.#recorder.wrong({ text, ...(lost === undefined ? {} : { lost }) });
  }

  /** Runs the Docker CLI on a host, beside Lockage. */
  docker(host: string, ...words: string[]): Promise<string> {
    return command('docker', '-H', this.project.lab.host(host).dockerHost, ...words);
  }

  /** Runs a command that has to end with one of these exit codes. */
  async lockage(words: readonly string[], codes: readonly number[] = [0]): Promise<CommandResult> {
    return this.ended(this.start(words), codes);
  }

  /** Starts a command, of another operator if need be. */
  start(words: readonly string[], actor = 'anna'): Attempt {
    if (this.#closed) throw new Error('the hosts were taken away');
    return { words, running: this.project.start([...words, '--json'], { LOCKAGE_ACTOR: actor }) };
  }

  /** Waits for the end of a command, which has to be with one of these exit codes. */
  async ended({ words, running, sent }: Attempt, codes: readonly number[]): Promise<CommandResult> {
    const result = await running.ended;
    const { code, signal, took: ms, stderr } = result;
    this.#recorder.called({ name: nameOf(words), ms, ...(code === null ? {} : { code }) });
    const isAsAsked = code === null ? signal === sent : codes.includes(code);
    if (!isAsAsked)
      this.wrong(
        `lockage ${words.join(' ')} ended with ${code ?? signal} instead of ${codes.join(' or ')}: ${tailOf(stderr)}`,
      );
    return result;
  }

  /** Starts a command and stops it with the signal somewhere, unless it ends before. */
  async stopped(words: readonly string[], signal: NodeJS.Signals, random: Random, codes: readonly number[]) {
    const attempt = this.start(words);
    const pause = random.between(...somewhere);
    await Promise.race([sleep(pause), attempt.running.ended]);
    attempt.running.kill(signal);
    return this.ended({ ...attempt, sent: signal }, codes);
  }

  /** Builds and records a release, and returns its version. One that misbehaves is not promoted by others. */
  async release(behaviour: Behaviour = {}): Promise<string> {
    const version = this.nextVersion();
    const image = await this.project.build(version, behaviour);
    await this.lockage(['release', version, '--image', image]);
    if (Object.keys(behaviour).length === 0) this.hasReleased(version);
    return version;
  }

  nextVersion(): string {
    this.#releases += 1;
    return `1.${this.#releases}.0`;
  }

  hasReleased(version: string): void {
    this.#good = [...this.#good, version].slice(-kept);
  }

  /** Returns the good releases that can be promoted. */
  get releases(): readonly string[] {
    return this.#good;
  }

  /** Returns a good release that does not serve. */
  another(random: Random): string {
    return random.pick(this.#good.filter((version) => !this.serves.includes(version)));
  }

  /** Returns where a rollback can go to. */
  get ways(): readonly WayBack[] {
    return this.known.ways.filter(({ version }) => !this.serves.includes(version));
  }

  /** Lifts the hold of a rollback, where there is one. */
  async resumed(): Promise<void> {
    if (!this.known.hold) return;
    await this.lockage(['resume', environment]);
    this.known = { ...this.known, hold: false };
  }

  /** Takes hosts away while something is done that no software can keep visitors from noticing there. */
  async without(hosts: readonly BareHost[], why: string, work: () => Promise<void>): Promise<void> {
    const leaves = hosts.map(({ name }) => this.visitors.away(name, why));
    try {
      await work();
    } finally {
      for (const [index, { name }] of hosts.entries()) if (await this.#isBack(name)) leaves[index]?.end();
    }
  }

  /** Returns whether a host answers again, several times in a row. */
  async #isBack(host: string): Promise<boolean> {
    const url = this.doors().find(({ name }) => name === host)?.url ?? '';
    const end = performance.now() + returnTime;
    for (let answers = 0; answers < 5; await sleep(100)) {
      const signal = AbortSignal.timeout(5000);
      const answer = await fetch(url, { signal, headers: { connection: 'close' } }).catch(() => undefined);
      await answer?.arrayBuffer().catch(() => undefined);
      answers = answer?.status === 200 ? answers + 1 : 0;
      if (performance.now() < end) continue;
      this.wrong(`${host} does not answer visitors again within ${returnTime / 1000} s`);
      return false;
    }
    return true;
  }
}

/** Returns a command without what it is given: `rollback --drill`, `host cordon`. */
export function nameOf(words: readonly string[]): string {
  const [first = '', second = ''] = words;
  const isGroup = first === 'host';
  const flags = words.filter((word) => ['--drill', '--check', '--all', '--plan'].includes(word));
  return [first, ...(isGroup ? [second] : []), ...flags].join(' ');
}

/** Returns the words to promote a release. */
export const promoting = (version: string) => ['promote', version, '--to', environment, '--yes'];

function tailOf(text: string): string {
  return text.trim().split('\n').slice(-4).join('; ').slice(-600);
}
