import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LockageError, NotStartedError, OvertakenError } from '../../pipelines/errors.ts';
import type { Fence, Turn } from '../../pipelines/model/fence.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import type { Engine, ExecOptions } from '../docker/api/client.ts';
import { LineReader } from '../docker/api/frames.ts';
import { visitFromHost } from './visit-from-host.ts';

/** The target of one public port: `container:port`, and where a request goes that finds no answer there. */
export interface PortTarget {
  readonly primary: string;
  readonly fallback: string;
  /** containers that the name of `primary` leads to, and that of `fallback`; absent: one, or nobody knows */
  readonly among?: number;
  readonly fallbackAmong?: number;
}

/** The routes of one host: public port → target. */
export type RouteSet = Readonly<Record<string, PortTarget>>;

/** Returns the files of a set, by their names. */
function filesOf(set: RouteSet): readonly (readonly [string, string])[] {
  return Object.entries(set).flatMap(([port, { primary, fallback, among }]) => [
    [port, primary] as const,
    [`${port}.fallback`, fallback] as const,
    ...(among === undefined ? [] : [[`${port}.among`, String(among)] as const]),
  ]);
}

/** Returns the name of a set. It follows from what its files say, so that a host sees for itself whether it has all of it. */
export function setName(set: RouteSet): string {
  const text = filesOf(set)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, content]) => `${file}:${content}\n`);
  return `routes-${createHash('sha256').update(text.join('')).digest('hex').slice(0, 16)}`;
}

/**
 * Returns whether a set that a host names is this one, also where it was delivered before sets told of how many containers
 * there are, or before names followed from files.
 */
export function isNamed(name: string, set: RouteSet): boolean {
  const bare = mapTargets(set, ({ primary, fallback }) => ({ primary, fallback }));
  return name === setName(set) || name === setName(bare) || name === `set-${fingerprint(bare)}`;
}

/** Returns the same routes with nothing to fall back on. */
export function withoutFallback(set: RouteSet): RouteSet {
  return mapTargets(set, ({ primary, among }) => targetOf(primary, among));
}

/** Returns the routes of the release before: those that a rollback goes back to. */
export function ofFallback(set: RouteSet): RouteSet {
  return mapTargets(set, ({ fallback, fallbackAmong }) => targetOf(fallback, fallbackAmong));
}

function mapTargets(set: RouteSet, change: (target: PortTarget) => PortTarget): RouteSet {
  return Object.fromEntries(Object.entries(set).map(([port, target]) => [port, change(target)]));
}

function targetOf(primary: string, among: number | undefined): PortTarget {
  return { primary, fallback: primary, ...(among === undefined ? {} : { among }) };
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
        ...filesOf(set).map(([file, content]) => ({ path: `${folder}/${file}`, mode: 0o644, content })),
      ];
    });
    await this.#engine.putArchive(this.#container, '/live', files);
  }

  /**
   * Makes the host refuse whatever is before this turn. Changes nothing that serves. An earlier edge knows no turns.
   * Throws OvertakenError.
   */
  async claim(turn: Turn): Promise<void> {
    const result = await this.#exec(['claim', tokenOf(turn)]);
    if (result.code !== 0 && !result.stderr.includes('unknown command')) throw this.#failed('take a turn', result);
  }

  /**
   * Claims the host as `claim` does, and gives it a copy of what is recorded. An earlier edge keeps none. Throws
   * OvertakenError, or LockageError when the earlier copy stays.
   */
  async keepRecord(turn: Turn, record: string): Promise<void> {
    // The revisions of a ledger are much alike: a copy is a twentieth of its text.
    const stdin = gzipSync(record).toString('base64');
    const hash = createHash('sha256').update(stdin).digest('hex');
    const result = await this.#exec(['record', tokenOf(turn), hash], { stdin, deadline: 30_000 });
    if (result.stderr.includes('unknown command')) return this.claim(turn);
    if (result.code !== 0) throw this.#failed('keep a copy of the record', result);
  }

  /**
   * Returns the copy of what is recorded, also where the edge does not run; undefined where the host has none. Throws LockageError
   * when it is spoilt.
   */
  async record(): Promise<string | undefined> {
    const [file] = (await this.#engine.getArchive(this.#container, '/live/record', { deadline: 30_000 })) ?? [];
    if (!file) return undefined;
    try {
      const packed = Buffer.from(file.content.toString(), 'base64');
      return gunzipSync(packed, { maxOutputLength: longestText }).toString();
    } catch (error) {
      throw new LockageError(`${this.#engine.host}: its copy of the record is spoilt`, { cause: error });
    }
  }

  /**
   * Sends traffic by another set, in one rename. Unless `seconds` is 0 the host goes back by itself when nobody
   * confirms within that time. Returns the name of the set that served before, `none` for the first; undefined when the
   * host does not have the set. Throws OvertakenError, or LockageError also when the host then serves another set.
   */
  async switch(set: string, turn: Turn, seconds: number): Promise<string | undefined> {
    const result = await this.#exec(['switch', set, tokenOf(turn), String(Math.ceil(seconds))]);
    if (result.code === 3) return undefined;
    if (result.code !== 0) throw this.#failed('switch', result);
    await this.#refuseOther(set, result.stdout);
    return lineOf(result.stdout, 'previous') ?? result.stdout.trim();
  }

  /**
   * Sees that a switch to a set that was delivered would succeed. Changes nothing that serves. Throws OvertakenError,
   * NotStartedError where an earlier edge knows no rehearsals, or LockageError when a switch would not succeed.
   */
  async rehearse(set: string, turn: Turn): Promise<void> {
    const result = await this.#exec(['rehearse', set, tokenOf(turn)]);
    if (result.code === 0) return;
    if (!result.stderr.includes('unknown command')) throw this.#failed('rehearse', result);
    throw new NotStartedError(
      `${this.#engine.host}: the edge proxy is of an earlier version, and cannot rehearse a switch`,
      {
        hint: 'Promote the serving version again: it replaces the edge proxies. A rollback itself works without that.',
      },
    );
  }

  /**
   * Makes an unconfirmed switch final, goes on to `set`, and forgets all other sets but `kept`. Throws OvertakenError, or
   * LockageError when the host has taken the switch back meanwhile.
   */
  async confirm(set: string, turn: Turn, kept: readonly string[]): Promise<void> {
    const said = await this.#run(['confirm', set, tokenOf(turn), ...kept]);
    await this.#refuseOther(set, said);
  }

  /**
   * Takes a switch of this turn back, also one that was confirmed; nothing happens if there is none. Throws OvertakenError
   * when another operation has the host, or LockageError.
   */
  async revert(turn: Turn): Promise<void> {
    await this.#run(['revert', tokenOf(turn)]);
  }

  /** Returns who holds the fence; undefined where nobody does, or no edge is. */
  async fence(): Promise<Fence | undefined> {
    const target = await this.#engine.linkTarget(this.#container, '/live/fence', { deadline: 15_000 });
    return target === undefined ? undefined : fenceOf(target.replace(/^.*\//, ''));
  }

  /** Returns what serves, what nobody has confirmed, who holds the fence, and whether anything takes a switch back. */
  async show(): Promise<EdgeState> {
    return stateOf(await this.#run(['show']));
  }

  /**
   * Asks public ports as visitors do: over the host's own address, so that the request comes by the published port. Where
   * the edge itself finds no answer there, which a firewall of the host can be the reason for, the host is asked as well.
   * Returns what `show` does, and the ports that nobody answers at. An earlier edge asks nothing.
   */
  async visit(visits: readonly Visit[], options: VisitOptions = {}): Promise<Visited> {
    const { seconds = 0, signal } = options;
    const call = { deadline: seconds * 1000 + 15_000, signal };
    const words = [String(seconds), ...visits.flatMap(wordsOf)];
    const argv = ['sh', '/live/edge.sh', 'visit', '-', ...words];
    const { code, stdout, stderr } = await this.#engine.exec(this.#container, argv, call);
    if (code !== 0 && stderr.includes('unknown command')) return { ...(await this.show()), silent: [] };
    if (code !== 0) throw this.#failed('ask its public ports', { code, stderr });
    const silent = silentPorts(stdout, visits);
    if (silent.length === 0) return { ...stateOf(stdout), silent };
    const address = lineOf(stdout, 'gateway') ?? '127.0.0.1';
    const again = visits.filter(({ port }) => silent.some((each) => each.port === port));
    const seen = await visitFromHost(
      this.#engine,
      this.#container,
      [address, '0', ...again.flatMap(wordsOf)],
      call,
    ).then(
      (text) => silentPorts(text, again),
      () => silent,
    );
    return { ...stateOf(stdout), silent: seen };
  }

  /** Forgets all sets but these and those in use. */
  async keep(sets: readonly string[]): Promise<void> {
    await this.#run(['keep', ...sets]);
  }

  /**
   * Asks over HTTP from inside the environment's network until there were `times` good answers (2xx, 3xx) in a row. Each
   * answer is passed on. Returns false when `seconds` are over. Throws LockageError when nothing could be asked.
   */
  async probe(
    at: Asked & { address: string },
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
      ...(at.host === undefined ? [] : [at.host]),
    ];
    const result = await this.#engine.exec(this.#container, ['sh', '/live/edge.sh', ...argv], {
      deadline: seconds * 1000 + 15_000,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.onAnswer ? { onOutput: lines(options.onAnswer) } : {}),
    });
    if (result.code !== 0 && result.code !== unhealthy) throw this.#cannotAsk(result);
    return result.code === 0;
  }

  /**
   * Probes several at once, by one command in the container: each of those costs a host more than all the asking.
   * Answers are passed on with the address that gave them.
   */
  async probeAll(
    addresses: readonly string[],
    at: Asked,
    check: { times: number; interval: number; seconds: number },
    options: { signal?: AbortSignal; onAnswer?: (address: string, answer: string) => void } = {},
  ): Promise<boolean> {
    const { times, interval, seconds } = check;
    const codes = new Map<string, number>();
    const hear = (line: string) => {
      const [address = '', answer = ''] = line.split(/ (.*)/s);
      const end = /^exit (\d+)$/.exec(answer)?.[1];
      if (end === undefined) options.onAnswer?.(address, answer);
      else codes.set(address, Number(end));
    };
    const numbers = [times, interval / 1000, Math.ceil(seconds)].map(String);
    const result = await this.#engine.exec(
      this.#container,
      ['sh', '-c', askAll, 'sh', `:${at.port}${at.path}`, at.host ?? '', ...numbers, ...addresses],
      {
        deadline: seconds * 1000 + 15_000,
        ...(options.signal ? { signal: options.signal } : {}),
        onOutput: lines(hear),
      },
    );
    const ends = addresses.map((address) => codes.get(address));
    const broken = ends.find((code) => code !== 0 && code !== unhealthy);
    if (broken !== undefined || ends.length > codes.size)
      throw this.#cannotAsk({ ...result, code: broken ?? result.code });
    return ends.every((code) => code === 0);
  }

  async #run(argv: readonly string[]): Promise<string> {
    const result = await this.#exec(argv);
    if (result.code === 0) return result.stdout;
    throw this.#failed(argv[0] ?? '', result);
  }

  #exec(argv: readonly string[], options: ExecOptions = { deadline: 15_000 }) {
    return this.#engine.exec(this.#container, ['sh', '/live/edge.sh', ...argv], options);
  }

  /**
   * Refuses an edge that serves another set than it was told. An earlier edge does not say what it serves after a
   * change, so it is asked.
   */
  async #refuseOther(set: string, said: string): Promise<void> {
    const now = lineOf(said, 'now') ?? (await this.show()).now;
    if (now === set) return;
    throw new LockageError(`${this.#engine.host}: the edge proxy serves another set of routes than it was told`, {
      details: [`asked for ${set}, it serves ${now}`],
      hint: `Run the same command again; if it stays so, look at \`docker logs ${this.#container}\` there.`,
    });
  }

  #cannotAsk({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }): LockageError {
    const said = (stderr || stdout).trim().split('\n').at(-1);
    return new LockageError(`${this.#engine.host}: the health check could not be run by the edge proxy: ${said}`, {
      details: [`container ${this.#container}, exit code ${code}`],
      hint: `Look at \`docker logs ${this.#container}\` there: it says why the edge proxy does not work.`,
    });
  }

  #failed(what: string, { code, stderr }: { code: number; stderr: string }): LockageError {
    if (code === refused) return new OvertakenError(`${this.#engine.host}: ${stderr.trim()}`);
    return new LockageError(`${this.#engine.host}: the edge proxy did not ${what}: ${stderr.trim()}`, {
      details: [`container ${this.#container}, exit code ${code}`],
    });
  }
}

/** Bytes of the text of a copy of the record: a few compressed ones can stand for more than a memory holds. */
const longestText = 256 * 2 ** 20;

/** Exit codes of the script. */
const unhealthy = 5;
const refused = 6;

/** The state of an edge, as it says itself. */
export interface EdgeState {
  /** name of the set that serves */
  readonly now: string;
  /** of whom a switch is that nobody has confirmed */
  readonly pending?: string;
  readonly fence?: Fence;
  /** an unconfirmed switch would be taken back */
  readonly guarded: boolean;
}

/** A request to a public port. */
export interface Visit {
  readonly port: number;
  /** what is asked for; absent: the edge itself answers, and nothing behind it is asked */
  readonly page?: { readonly path: string; readonly host?: string };
}

export interface VisitOptions {
  /** until a port has to answer; 0, the default: it is asked once */
  readonly seconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The state of an edge, and the public ports that nobody answers at. */
export interface Visited extends EdgeState {
  readonly silent: readonly SilentPort[];
}

/** A public port that does not answer, or only that nothing is there. */
export interface SilentPort {
  readonly port: number;
  /** `nc: can't connect to remote host (172.18.0.1): Connection refused` */
  readonly said: string;
}

/** Returns what is wrong with a public port: `port 8000 does not answer visitors: no answer within 3 s`. */
export function silenceText({ port, said }: SilentPort): string {
  return `port ${port} does not answer visitors: ${said}`;
}

/** The question of a health check. */
interface Asked {
  readonly port: number;
  readonly path: string;
  /** the `Host` that is sent; absent: the address */
  readonly host?: string;
}

function tokenOf({ revision, operation, recorded, over }: Turn): string {
  return `${revision}:${operation}:${recorded}:${over.join(',')}`;
}

function stateOf(shown: string): EdgeState {
  const pending = lineOf(shown, 'pending')?.split(' ')[1];
  const fence = lineOf(shown, 'fence');
  return {
    now: lineOf(shown, 'now') ?? '',
    ...(pending === undefined ? {} : { pending }),
    ...(fence === undefined ? {} : { fence: fenceOf(fence) }),
    guarded: lineOf(shown, 'guard') !== 'dead',
  };
}

function fenceOf(text: string): Fence {
  const [revision, operation = '', recorded] = text.split(' ');
  return { revision: Number(revision), operation, recorded: Number(recorded) };
}

function wordsOf({ port, page }: Visit): string[] {
  return [String(port), page ? (page.host ?? `localhost:${port}`) : '-', page?.path ?? '/'];
}

/** Returns the ports that nobody answers at. One that is not spoken of was not asked to its end. */
function silentPorts(text: string, visits: readonly Visit[]): SilentPort[] {
  return visits.flatMap(({ port }) => {
    const said = lineOf(text, `port ${port}`) ?? 'silent it could not be asked';
    return said === 'answers' ? [] : [{ port, said: said.replace(/^silent ?/, '') }];
  });
}

/** Returns what follows a word at the start of a line; undefined where no line begins with it. */
function lineOf(text: string, word: string): string | undefined {
  const found = text.split('\n').find((line) => line.startsWith(`${word} `));
  return found?.slice(word.length + 1).trim();
}

const askAll = `
rest=$1 host=$2 times=$3 interval=$4 seconds=$5
shift 5
for address in "$@"; do
  {
    sh /live/edge.sh probe "http://$address$rest" "$times" "$interval" "$seconds" $host
    echo "exit $?"
  } 2>&1 |
    while read -r line; do echo "$address $line" || exit; done &
done
wait`;

function lines(onLine: (line: string) => void): (stream: string, data: Buffer) => void {
  const reader = new LineReader();
  return (_stream, data) => {
    for (const line of reader.read(data)) onLine(line);
  };
}
