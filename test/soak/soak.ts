/** A soak: steps in random order until its time is over, whatever one of them finds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sizesOf, machineOf } from './figures.ts';
import { faults } from './faults.ts';
import { inspect, type Inspection } from './inspect.ts';
import { failuresOf, type Journal, type Machine, type Requests, type Sizes } from './journal.ts';
import { operations, type Deed } from './operations.ts';
import { mixed, Random, rounds } from './random.ts';
import { Recorder } from './recorder.ts';
import { environment, promoting, Stage } from './stage.ts';
import { Visitors } from './visitors.ts';

/** Milliseconds until a second look. */
const lookAgain = 5000;

/** How long a soak takes, and what it chooses. */
export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** requests a second to each host */
  readonly rate: number;
  /** steps whose names have one of these in them, with commas between */
  readonly only?: string;
}

/** A step that may be played. */
interface Chosen {
  readonly deed: Deed;
  readonly kind: 'operation' | 'fault';
}

const all: readonly Chosen[] = [
  ...operations.map((deed) => ({ deed, kind: 'operation' as const })),
  ...faults.map((deed) => ({ deed, kind: 'fault' as const })),
];

/** Returns the steps whose names have one of these texts in them, with commas between: all, where there is none. */
export function stepsNamed(only = ''): readonly Chosen[] {
  const texts = only.split(',').map((text) => text.trim());
  return all.filter(({ deed }) => texts.some((text) => deed.name.includes(text)));
}

/** A soak, from the hosts it makes to the journal of what it found. */
export class Soak {
  readonly #options: SoakOptions;
  readonly #signal: AbortSignal;
  readonly #recorder = new Recorder();
  readonly #visitors: Visitors;
  readonly #startedAt = Date.now();
  #stage: Stage | undefined;
  #machine: Machine | undefined;
  #begin: Sizes | undefined;
  #end: Sizes | undefined;
  #renewed = 0;
  #lookedAgain = 0;
  #ms = 0;

  constructor(options: SoakOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#visitors = new Visitors(options.rate);
  }

  /** Plays until the time is over or the signal comes, and removes everything that it made. */
  async play(): Promise<Journal> {
    try {
      const stage = await this.#open();
      this.#machine = await machineOf(stage);
      this.#begin = await sizesOf(stage);
      const began = performance.now();
      await Promise.race([this.#steps(began + this.#options.minutes * 60_000), aborted(this.#signal)]);
      this.#ms = performance.now() - began;
      await this.#visitors.stop();
      if (!this.#signal.aborted && this.#stage) this.#end = await sizesOf(this.#stage);
    } finally {
      await this.#visitors.stop();
      await this.#stage?.close();
    }
    return this.#journal();
  }

  async #open(): Promise<Stage> {
    this.#recorder.begin('hosts, a first release and a second one', 'operation');
    this.#visitors.during = 'the beginning';
    this.#stage = await Stage.open(this.#visitors, this.#recorder);
    await this.#look(this.#stage);
    this.#recorder.end(0);
    return this.#stage;
  }

  async #steps(end: number): Promise<void> {
    const { seed, only } = this.#options;
    let number = 0;
    for (const chosen of rounds(seed, stepsNamed(only))) {
      if (performance.now() > end || this.#signal.aborted || !this.#stage) return;
      const isWell = await this.#step(this.#stage, chosen, new Random(mixed(seed, (number += 1))));
      if (!isWell && performance.now() < end && !this.#signal.aborted) await this.#recover(this.#stage);
    }
  }

  /** Plays a step. Returns whether all is well after it. */
  async #step(stage: Stage, { deed, kind }: Chosen, random: Random): Promise<boolean> {
    this.#recorder.begin(deed.name, kind);
    this.#visitors.during = deed.name;
    const before = failedOf(this.#visitors.requests());
    const isWell = await this.#played(stage, deed, random);
    // Nobody waits for the rest of a step that was cut off.
    if (this.#signal.aborted) return isWell;
    this.#recorder.end(failedOf(this.#visitors.requests()) - before);
    return isWell;
  }

  async #played(stage: Stage, deed: Deed, random: Random): Promise<boolean> {
    try {
      await deed.play(stage, random);
    } catch (error) {
      stage.wrong(`it could not be played: ${textOf(error)}`);
    }
    return this.#look(stage).catch((error: unknown) => {
      stage.wrong(`it could not be looked at: ${textOf(error)}`);
      return false;
    });
  }

  /** Looks at everything, twice where the first look finds something. Returns whether all is well. */
  async #look(stage: Stage): Promise<boolean> {
    const first = await inspect(stage);
    if (first.wrong.length === 0) return this.#believe(stage, first);
    await sleep(lookAgain);
    const second = await inspect(stage);
    if (second.wrong.length === 0) this.#lookedAgain += 1;
    return this.#believe(stage, second);
  }

  #believe(stage: Stage, { wrong, known, version }: Inspection): boolean {
    for (const each of wrong) this.#recorder.wrong(each);
    stage.known = known;
    if (version !== undefined) stage.serves = [version];
    return wrong.length === 0;
  }

  /** Goes on without a stage where none can be had, which ends the soak with what it has found. */
  async #recover(stage: Stage): Promise<void> {
    try {
      await this.#wellAgain(stage);
    } catch (error) {
      const text = `no environment could be made: ${textOf(error)}`;
      this.#recorder.begin('the environment is made well again', 'operation');
      this.#recorder.wrong({ text });
      this.#recorder.end(0);
      this.#stage = undefined;
      await stage.close();
    }
  }

  /** Brings the environment back to well: by healing, else from nothing, else on other hosts. */
  async #wellAgain(stage: Stage): Promise<void> {
    this.#visitors.during = 'it is made well again';
    const leaves = stage.hosts.map(({ name }) => this.#visitors.away(name, 'it was made well again after a fault'));
    try {
      if (await this.#healed(stage)) return this.#recorder.say('made well again by healing');
      if (await this.#fromNothing(stage)) return this.#recorder.say('made well again from nothing');
      await this.#elsewhere(stage);
    } finally {
      for (const leave of leaves) leave.end();
    }
  }

  async #healed(stage: Stage): Promise<boolean> {
    const { project } = stage;
    await project.run('unlock', environment, '--yes', '--json');
    for (const { name } of stage.hosts) await project.run('host', 'uncordon', name, '--env', environment, '--yes');
    const { code, stderr } = await project.run('heal', environment, '--yes', '--json');
    if (code !== 0) this.#recorder.say(`heal ends with ${code}: ${stderr.trim().slice(-600)}`);
    await project.run('prune', environment, '--yes', '--json');
    return this.#look(stage);
  }

  async #fromNothing(stage: Stage): Promise<boolean> {
    this.#renewed += 1;
    await stage.project.run('destroy', environment, '--volumes', '--yes', '--json');
    stage.known = { revision: 0, hold: false, ways: [] };
    for (const version of stage.releases.slice(-2)) {
      await stage.project.run(...promoting(version), '--json');
      stage.serves = [version];
    }
    await stage.keepData().catch(() => undefined);
    return this.#look(stage);
  }

  async #elsewhere(stage: Stage): Promise<void> {
    this.#renewed += 1;
    await this.#visitors.stop();
    await stage.close();
    await this.#open();
  }

  #journal(): Journal {
    if (!this.#machine) throw new Error('it was stopped before it began');
    const { minutes, seed } = this.#options;
    const sizes = this.#begin ? { begin: this.#begin, ...(this.#end ? { end: this.#end } : {}) } : undefined;
    return {
      startedAt: this.#startedAt,
      ms: this.#ms,
      ...{ minutes, seed, machine: this.#machine },
      steps: this.#recorder.steps,
      calls: this.#recorder.calls,
      requests: this.#visitors.requests(),
      ...(sizes ? { sizes } : {}),
      ...{ renewed: this.#renewed, lookedAgain: this.#lookedAgain },
      stopped: this.#signal.aborted,
    };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function failedOf(requests: Requests): number {
  return failuresOf(requests).reduce((sum, { count }) => sum + count, 0);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}
