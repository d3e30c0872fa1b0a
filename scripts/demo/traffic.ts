/** The visitors of the demo: a constant load on an environment, and what they saw during each step. */
import { setTimeout as sleep } from 'node:timers/promises';
import { startLoad, type Load, type LoadStats } from '../load/load.ts';

type Visited = 'prod' | 'dev';

/** The default requests a second on prod, over all its hosts together, and on dev while it is watched. */
const defaultRates: Readonly<Record<Visited, number>> = { prod: 210, dev: 50 };
/** One slow request is sent for this many others. */
const slowShare = 52;
/** The time that visitors wait for an answer of a busy machine; how long they waited is shown at the end. */
const timeout = 30_000;
/** The greatest age of the load's numbers. */
const settle = 200;

export interface Seen {
  readonly requests: number;
  readonly failed: number;
}

export class Traffic {
  readonly #rates: Readonly<Record<Visited, number>>;
  readonly #loads = new Map<Visited, Load>();
  #ended: LoadStats[] = [];
  #reported: Seen = { requests: 0, failed: 0 };

  constructor(prod = defaultRates.prod) {
    this.#rates = { ...defaultRates, prod };
  }

  async start(environment: Visited, urls: readonly string[]): Promise<void> {
    const rate = this.#rates[environment];
    const slow = { path: '/slow?ms=2000', everyMs: Math.round((1000 * slowShare) / rate) };
    this.#loads.set(environment, await startLoad({ urls, rate, connections: 'both', slow, timeout }));
  }

  get running(): boolean {
    return this.#loads.size > 0;
  }

  /** Returns the requests since the last call; undefined before there is any load. */
  async sinceLast(): Promise<Seen | undefined> {
    if (!this.running && this.#ended.length === 0) return undefined;
    await sleep(settle);
    const { requests, failed } = this.total();
    const seen = { requests: requests - this.#reported.requests, failed: failed - this.#reported.failed };
    this.#reported = { requests, failed };
    return seen;
  }

  total(): Seen {
    const all = [...this.#ended, ...[...this.#loads.values()].map((load) => load.stats())];
    const sum = (of: (stats: LoadStats) => number) => all.reduce((total, stats) => total + of(stats), 0);
    return { requests: sum(({ sent }) => sent), failed: sum(({ failed }) => failed) };
  }

  /** Returns the versions that visitors of an environment have got, with the number of answers. */
  versions(environment: Visited): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const seen of Object.values(this.#loads.get(environment)?.stats().versionsSeen ?? {})) {
      for (const [version, { count }] of Object.entries(seen)) counts.set(version, (counts.get(version) ?? 0) + count);
    }
    return counts;
  }

  /** Describes the first failures since a time (ms since 1970). */
  failures(since: number): string[] {
    const all = [...this.#ended, ...[...this.#loads.values()].map((load) => load.stats())];
    const recent = all.flatMap(({ failures }) => failures).filter(({ at }) => at >= since);
    return recent.slice(0, 5).map(({ at, url, kind }) => `${new Date(at).toISOString().slice(11, 23)} ${url} ${kind}`);
  }

  async stop(environment: Visited): Promise<LoadStats | undefined> {
    const load = this.#loads.get(environment);
    if (!load) return undefined;
    const stats = await load.stop();
    this.#loads.delete(environment);
    this.#ended = [...this.#ended, stats];
    return stats;
  }

  async stopAll(): Promise<readonly LoadStats[]> {
    for (const environment of [...this.#loads.keys()]) await this.stop(environment);
    return this.#ended;
  }
}
