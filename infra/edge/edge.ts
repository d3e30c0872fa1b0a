import { LockageError } from '../../pipelines/errors.ts';
import type { Engine } from '../docker/api/client.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';

/** Where one public port sends to: `container:port`, and where a request goes that finds no answer there. */
export interface PortTarget {
  readonly primary: string;
  readonly fallback: string;
}

/** Public port → target, for one host. */
export type RouteSet = Readonly<Record<string, PortTarget>>;

/** The name of a set follows from its content, so that an existing one is never written again. */
export function setName(set: RouteSet): string {
  return `set-${fingerprint(set)}`;
}

/** The same routes with nothing to fall back on. */
export function withoutFallback(set: RouteSet): RouteSet {
  return Object.fromEntries(Object.entries(set).map(([port, { primary }]) => [port, { primary, fallback: primary }]));
}

/** The edge proxy of an environment on one host: the only module that knows how routes are stored there. */
export class Edge {
  readonly #engine: Engine;
  readonly #container: string;

  constructor(engine: Engine, container: string) {
    this.#engine = engine;
    this.#container = container;
  }

  /** Delivers route sets to the host. Changes nothing that serves. */
  async prepare(sets: readonly RouteSet[]): Promise<void> {
    const files = sets.flatMap((set) => {
      const folder = `incoming/${setName(set)}`;
      return [
        { path: folder, type: 'directory' as const, mode: 0o755, content: '' },
        ...Object.entries(set).flatMap(([port, target]) => [
          { path: `${folder}/${port}`, mode: 0o644, content: target.primary },
          { path: `${folder}/${port}.fallback`, mode: 0o644, content: target.fallback },
        ]),
      ];
    });
    await this.#engine.putArchive(this.#container, '/live', files);
  }

  /**
   * Sends traffic by another set, in one rename. Unless `seconds` is 0 the host goes back by itself when nobody
   * confirms within that time. Returns the name of the set that served before, `none` for the first; undefined when the
   * host does not have the set.
   */
  async switch(set: string, token: string, seconds: number): Promise<string | undefined> {
    const result = await this.#exec(['switch', set, token, String(Math.ceil(seconds))]);
    if (result.code !== 0 && result.code !== 3) throw this.#failed('switch', result);
    return result.code === 0 ? result.stdout.trim() : undefined;
  }

  /**
   * Makes an unconfirmed switch final, goes on to `set`, and forgets all other sets but `kept`. Throws when the host has
   * taken the switch back meanwhile.
   */
  async confirm(set: string, token: string, kept: readonly string[]): Promise<void> {
    await this.#run(['confirm', set, token, ...kept]);
  }

  /** Takes an unconfirmed switch back; nothing happens if there is none with this token. */
  async revert(token: string): Promise<void> {
    await this.#run(['revert', token]);
  }

  /** Name of the serving set, and the token of an unconfirmed switch. */
  async show(): Promise<{ now: string; pending?: string }> {
    const shown = (await this.#run(['show'])).split('\n');
    const pending = shown.find((line) => line.startsWith('pending '))?.split(' ')[2];
    return {
      now:
        shown
          .find((line) => line.startsWith('now '))
          ?.slice(4)
          .trim() ?? '',
      ...(pending === undefined ? {} : { pending }),
    };
  }

  /** Forgets all sets but these and those in use. */
  async keep(sets: readonly string[]): Promise<void> {
    await this.#run(['keep', ...sets]);
  }

  /**
   * Asks over HTTP from inside the environment's network until there were `times` good answers (2xx, 3xx) in a row. Each
   * answer is passed on. Returns false when `seconds` are over.
   */
  async probe(
    at: { address: string; port: number; path: string },
    check: { times: number; interval: number; seconds: number },
    options: { signal?: AbortSignal; onAnswer?: (answer: string) => void } = {},
  ): Promise<boolean> {
    const { times, interval, seconds } = check;
    const argv = [
      'probe',
      `http://${at.address}:${at.port}${at.path}`,
      String(times),
      String(interval / 1000),
      String(Math.ceil(seconds)),
    ];
    const result = await this.#engine.exec(this.#container, ['sh', '/live/edge.sh', ...argv], {
      deadline: seconds * 1000 + 15_000,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.onAnswer ? { onOutput: lines(options.onAnswer) } : {}),
    });
    return result.code === 0;
  }

  /**
   * The same of several at once, by one command in the container: each of those costs a host more than all the asking.
   * Answers are passed on with the address that gave them.
   */
  async probeAll(
    addresses: readonly string[],
    at: { port: number; path: string },
    check: { times: number; interval: number; seconds: number },
    options: { signal?: AbortSignal; onAnswer?: (address: string, answer: string) => void } = {},
  ): Promise<boolean> {
    const { times, interval, seconds } = check;
    const good = new Set<string>();
    const hear = (line: string) => {
      const [address = '', answer = ''] = line.split(/ (.*)/s);
      if (answer === `ok ${times}`) good.add(address);
      options.onAnswer?.(address, answer);
    };
    const numbers = [times, interval / 1000, Math.ceil(seconds)].map(String);
    await this.#engine.exec(
      this.#container,
      ['sh', '-c', askAll, 'sh', `:${at.port}${at.path}`, ...numbers, ...addresses],
      {
        deadline: seconds * 1000 + 15_000,
        ...(options.signal ? { signal: options.signal } : {}),
        onOutput: lines(hear),
      },
    );
    return addresses.every((address) => good.has(address));
  }

  async #run(argv: readonly string[]): Promise<string> {
    const result = await this.#exec(argv);
    if (result.code === 0) return result.stdout;
    throw this.#failed(argv[0] ?? '', result);
  }

  #exec(argv: readonly string[]) {
    return this.#engine.exec(this.#container, ['sh', '/live/edge.sh', ...argv], { deadline: 15_000 });
  }

  #failed(what: string, { code, stderr }: { code: number; stderr: string }): LockageError {
    return new LockageError(`${this.#engine.host}: the edge proxy did not ${what}: ${stderr.trim()}`, {
      details: [`container ${this.#container}, exit code ${code}`],
    });
  }
}

const askAll = `
rest=$1 times=$2 interval=$3 seconds=$4
shift 4
for address in "$@"; do
  sh /live/edge.sh probe "http://$address$rest" "$times" "$interval" "$seconds" |
    while read -r line; do echo "$address $line" || exit; done &
done
wait`;

function lines(onLine: (line: string) => void): (stream: string, data: Buffer) => void {
  let rest = '';
  return (_stream, data) => {
    const parts = (rest + data.toString()).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) onLine(line);
  };
}
