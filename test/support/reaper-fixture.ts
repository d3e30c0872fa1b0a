import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reaperRequests, reaperScript } from '../../infra/hosts/reaper-script.ts';
import type { Place } from '../../infra/resources/inputs.ts';

/** A thing on the host. */
export interface Thing {
  readonly kind: 'containers' | 'networks' | 'volumes';
  /** that of a volume is its name */
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state?: string;
}

interface Route {
  readonly match: readonly [{ readonly path_regexp: { readonly name: string; readonly pattern: string } }];
  readonly handle: readonly [{ readonly method: string; readonly uri: string }, unknown];
}

/** Returns what the engine is asked for a request of the script; undefined where the reaper's Caddy allows none. */
export function translated(place: Place, asked: string): { readonly method: string; readonly uri: string } | undefined {
  const { apps } = JSON.parse(reaperRequests(place)) as {
    apps: { http: { servers: { engine: { routes: Route[] } } } };
  };
  for (const { match, handle } of apps.http.servers.engine.routes.slice(0, -1)) {
    const [{ path_regexp: wanted }] = match;
    const [{ method, uri }] = handle;
    const found = new RegExp(wanted.pattern).exec(asked);
    if (found) return { method, uri: uri.replace(`{http.regexp.${wanted.name}.1}`, found[1] ?? '') };
  }
  return undefined;
}

/**
 * A reaper without a container: its script, run by the busybox that edges have, on a host with a clock of its own. Requests are
 * translated as its Caddy is told to, and answered as an engine does.
 */
export class ReaperFixture {
  readonly self = 'f'.repeat(64);
  /** what the engine was made to do, oldest first */
  readonly done: string[] = [];
  /** what the engine cannot do at the moment, as `remove networks/…` */
  readonly refused = new Set<string>();
  /** every list that it is asked for fails */
  isBusy = false;
  /** the list of locks fails */
  hidesLocks = false;
  output = '';
  /** how often it was asked for the locks of the environment */
  looks = 0;
  things: Thing[];
  readonly #place: Place;
  readonly #folder = mkdtempSync(join(tmpdir(), 'lockage-reaper-'));
  readonly #server: Server;
  #child: ChildProcess | undefined;

  constructor(place: Place, things: readonly Thing[]) {
    this.#place = place;
    this.things = [...things];
    this.#server = createServer(({ url = '' }, response) => {
      const found = translated(this.#place, url);
      const [status, answer] = found ? this.#answer(found.method, new URL(found.uri, 'http://engine')) : [404, {}];
      response.writeHead(status).end(status === 204 ? undefined : `${JSON.stringify(answer)}\n`);
    });
    this.clock(1000);
  }

  /** Sets the host's clock, to seconds since 1970; not a number: it cannot be read. */
  clock(seconds: number): void {
    writeFileSync(join(this.#folder, 'clock'), Number.isNaN(seconds) ? '' : `${seconds}\n`);
  }

  /** Starts the reaper, which ends when it has removed itself. */
  async start(deadline: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    // Functions come before programs, so these are the container's name, its host's clock and its Caddy; and pauses are short.
    const around = [
      `hostname() { echo ${this.self.slice(0, 12)}; }`,
      `date() { read -r now < ${this.#folder}/clock && echo "$now"; }`,
      'sleep() { command sleep 0.02; }',
      'caddy() { while :; do command sleep 0.1; done; }',
    ];
    const script = reaperScript
      .replaceAll('/tmp/', `${this.#folder}/`)
      .replaceAll('127.0.0.1:2375', `127.0.0.1:${port}`);
    const busybox = ['/usr/bin/busybox', '/bin/busybox'].find(isThere) ?? 'busybox';
    const env = { PATH: process.env['PATH'], REAPER_DEADLINE: String(deadline), REAPER_REQUESTS: '{}' };
    this.#child = spawn(busybox, ['sh', '-c', [...around, script].join('\n')], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // What it has in the background goes with it.
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
  }

  /** Whether it has found out that it reaches its engine. */
  get works(): boolean {
    return isThere(join(this.#folder, 'works'));
  }

  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  ids(kind: Thing['kind']): string[] {
    return this.things.filter((each) => each.kind === kind).map(({ id }) => id);
  }

  #answer(method: string, { pathname, searchParams }: URL): [number, unknown] {
    const [, kind = '', id = '', act] = pathname.split('/');
    if (kind === '_ping') return [200, 'OK'];
    const isOfLocks = searchParams.get('filters')?.includes('"lockage.part=lock"') ?? false;
    if (isOfLocks) this.looks++;
    const isSilent = this.isBusy || (isOfLocks && this.hidesLocks);
    if (method === 'GET') return isSilent ? [500, {}] : [200, this.#list(kind, searchParams)];
    const what = `${method === 'POST' ? act : 'remove'} ${kind}/${id}`;
    if (this.refused.has(what)) return [409, { message: 'it is in use' }];
    this.done.push(what);
    if (method === 'DELETE') this.things = this.things.filter((each) => each.id !== id);
    if (id === this.self && method === 'DELETE') this.#kill();
    return [204, {}];
  }

  #list(kind: string, query: URLSearchParams): unknown {
    const filters = JSON.parse(query.get('filters') ?? '{}') as Record<string, string[] | undefined>;
    const { label = [], id, name = [], status } = filters;
    const found = this.things.filter(
      (each) =>
        each.kind === kind &&
        label.every((wanted) => Object.entries(each.labels).some(([key, value]) => `${key}=${value}` === wanted)) &&
        (id?.includes(each.id) ?? true) &&
        name.every((part) => new RegExp(part).test(each.id)) &&
        (status?.includes(each.state ?? 'running') ?? true),
    );
    const listed = found.map(({ id: Id, labels: Labels }) =>
      kind === 'volumes' ? { Labels, Name: Id } : { Id, Labels },
    );
    return kind === 'volumes' ? { Volumes: listed, Warnings: null } : listed;
  }

  #kill(): void {
    const { pid } = this.#child ?? {};
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  remove(): void {
    this.#kill();
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function isThere(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
