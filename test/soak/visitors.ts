/** The visitors of a soak: a steady load on each host, whose failures are kept with what was going on then. */
import { startLoad, type Load, type LoadStats } from '../../scripts/load/load.ts';
import type { Absence, Failure, Requests } from './journal.ts';

/** Milliseconds between two looks at the numbers. */
const interval = 200;
/** Milliseconds that a visitor of a busy machine waits. */
const patience = 15_000;

/** A host as visitors reach it. */
export interface Door {
  readonly name: string;
  readonly url: string;
}

/** An absence that is going on. */
export interface Leave {
  /** Says that the host answers again. */
  end(): void;
}

/** Visitors who ask each host all the time. */
export class Visitors {
  /** what is going on now */
  during = 'nothing';
  readonly #rate: number;
  readonly #loads = new Map<Door, Load>();
  readonly #seen = new Map<Door, LoadStats>();
  readonly #failures: Failure[] = [];
  readonly #absences: Absence[] = [];
  #sent = 0;
  #sentAway = 0;
  #seconds = 0;
  #since = 0;
  #looking: NodeJS.Timeout | undefined;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Starts the load on each of these hosts. */
  async start(doors: readonly Door[]): Promise<void> {
    const slow = { path: '/slow?ms=1000', everyMs: 1000 };
    const options = { rate: this.#rate, connections: 'both', slow, timeout: patience } as const;
    for (const door of doors) this.#loads.set(door, await startLoad({ urls: [door.url], ...options }));
    this.#since = performance.now();
    this.#looking = setInterval(() => this.#look(), interval);
    this.#looking.unref();
  }

  /** Stops the load, and waits for the answers still to come. */
  async stop(): Promise<void> {
    if (!this.#looking) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
    for (const [door, load] of this.#loads) this.#count(door, await load.stop());
    this.#seconds += Math.round((performance.now() - this.#since) / 1000);
    this.#loads.clear();
    this.#seen.clear();
  }

  /** Begins the absence of a host. */
  away(host: string, why: string): Leave {
    const at = this.#absences.push({ host, why, from: Date.now() }) - 1;
    return {
      end: () => {
        const absence = this.#absences[at];
        if (absence && absence.to === undefined) this.#absences[at] = { ...absence, to: Date.now() };
      },
    };
  }

  /** Returns whether any visitor got an answer of this version. */
  met(version: string): boolean {
    return [...this.#loads].some(([{ url }, load]) => load.stats().versionsSeen[url]?.[version] !== undefined);
  }

  /** Returns what was sent and failed so far. */
  requests(): Requests {
    return {
      sent: this.#sent,
      sentAway: this.#sentAway,
      failures: this.#failures,
      absences: this.#absences,
      seconds: this.#seconds,
    };
  }

  #look(): void {
    for (const [door, load] of this.#loads) this.#count(door, load.stats());
  }

  #count(door: Door, stats: LoadStats): void {
    const before = this.#seen.get(door);
    this.#seen.set(door, { ...stats, errors: { ...stats.errors } });
    const sent = stats.sent - (before?.sent ?? 0);
    const isAway = this.#absences.some(({ host, to }) => host === door.name && to === undefined);
    this.#sent += sent;
    if (isAway) this.#sentAway += sent;
    const at = Date.now();
    for (const [kind, all] of Object.entries(stats.errors)) {
      const count = all - (before?.errors[kind] ?? 0);
      if (count === 0) continue;
      this.#failures.push({ at, host: door.name, kind, count, during: this.during });
    }
  }
}
