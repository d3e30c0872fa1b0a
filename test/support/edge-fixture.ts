/** An edge without a container: its script in a folder of its own, run by the busybox that edges have. */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Engine } from '../../infra/docker/api/client.ts';
import { setName, type RouteSet } from '../../infra/edge/edge.ts';
import { edgeScript } from '../../infra/edge/script.ts';

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class EdgeFixture {
  readonly folder = mkdtempSync(join(tmpdir(), 'lockage-edge-'));
  /** what the host was asked to run, oldest first */
  readonly asked: string[] = [];
  /** commands that come to the host, whose answers are lost */
  loses: readonly string[] = [];
  /** commands that never come to the host */
  refuses: readonly string[] = [];
  /** the host's own address, by which its public ports are asked: one of this computer that nobody else has */
  readonly address = anyAddress();
  /** containers that were made on the host, and are gone again */
  readonly made: string[] = [];
  /** names of the containers of releases that it lists */
  containers: readonly string[] = [];
  /** its containers that were listed, started and stopped, oldest first: `stop web-1.0.0` */
  readonly moves: string[] = [];
  /** what visitors asked for through the public port */
  readonly visitors: string[] = [];
  /** what they are answered */
  status = 200;
  /** whether the containers of the host run */
  runs = true;
  #fromHost: string | undefined;
  readonly #servers: Server[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #env: Record<string, string>;

  constructor() {
    const bin = join(this.folder, 'bin');
    mkdirSync(bin);
    const busybox = ['/usr/bin/busybox', '/bin/busybox'].find((file) => exists(file)) ?? 'busybox';
    for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n')) {
      if (applet !== '') symlinkSync(busybox, join(bin, applet));
    }
    for (const name of ['live/incoming', 'live/sets/none']) mkdirSync(join(this.folder, name), { recursive: true });
    writeFileSync(join(this.folder, 'live/edge.sh'), edgeScript);
    writeFileSync(join(this.folder, 'live/sets/none/8000'), '127.0.0.1:9\n');
    this.#env = { PATH: bin, EDGE_LIVE: join(this.folder, 'live'), EDGE_PORTS: '8000', EDGE_GATEWAY: this.address };
  }

  /** A path below `/live`. */
  live(...names: string[]): string {
    return join(this.folder, 'live', ...names);
  }

  /** Publishes port 8000 of the host. Who asks for no name is answered by Node itself, as by Caddy. */
  async publish(address = this.address): Promise<void> {
    const server = createServer(({ url = '' }, response) => {
      this.visitors.push(url);
      response.writeHead(this.status).end();
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => void server.once('error', reject).listen(8000, address, resolve));
  }

  /** Takes the published port away, as a host whose rules are flushed does. */
  unpublish(): void {
    for (const server of this.#servers.splice(0)) server.close().closeAllConnections();
  }

  /** Publishes the port so that only the host itself and those outside reach it, as with a firewall. */
  async publishForHostOnly(): Promise<void> {
    this.unpublish();
    this.#fromHost = anyAddress();
    await this.publish(this.#fromHost);
  }

  /** Runs a command of the script. */
  run(...words: string[]): Promise<Said> {
    return this.shell('sh', this.live('edge.sh'), ...words);
  }

  /** Runs any program that an edge has. */
  shell(program: string, ...words: string[]): Promise<Said> {
    return this.given('', program, ...words);
  }

  /** The same with something on its stdin. */
  given(stdin: string, program: string, ...words: string[]): Promise<Said> {
    const { PATH: bin = '' } = this.#env;
    return new Promise((resolve) => {
      const child = execFile(
        join(bin, program),
        words,
        { env: this.#env, cwd: this.live() },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
        },
      );
      // Most read nothing.
      child.stdin?.on('error', () => undefined).end(stdin);
    });
  }

  /** Starts a command that stays, and does not wait for it. */
  start(...words: string[]): ChildProcess {
    const { PATH: bin = '' } = this.#env;
    const child = spawn(join(bin, 'sh'), words, { env: this.#env, cwd: this.live(), stdio: 'ignore' });
    this.#children.add(child);
    return child;
  }

  /** Starts the guard, and waits until it is one. */
  async guard(): Promise<ChildProcess> {
    const child = this.start(this.live('edge.sh'), 'guard');
    while (!(await this.run('show')).stdout.includes('guard lives')) continue;
    return child;
  }

  /** Starts the edge with a program in Caddy's place that ends at once, and ends its guard with it. Returns the exit code. */
  async startUp(): Promise<number | null> {
    const bin = join(this.folder, 'bin');
    writeFileSync(join(bin, 'caddy'), `#!${join(bin, 'sh')}\n`, { mode: 0o755 });
    const options = { env: this.#env, cwd: this.live(), stdio: 'ignore', detached: true } as const;
    const child = spawn(join(bin, 'sh'), [this.live('edge.sh'), 'run'], options);
    const [code] = (await once(child, 'exit')) as [number | null];
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    return code;
  }

  /** Brings a set, as a delivery does. Returns its name. */
  deliver(set: RouteSet, name = setName(set)): string {
    mkdirSync(this.live('incoming', name), { recursive: true });
    for (const [port, { primary, fallback, among }] of Object.entries(set)) {
      writeFileSync(this.live('incoming', name, port), primary);
      writeFileSync(this.live('incoming', name, `${port}.fallback`), fallback);
      if (among !== undefined) writeFileSync(this.live('incoming', name, `${port}.among`), String(among));
    }
    return name;
  }

  /** Returns the set that serves, by its name. */
  async serves(): Promise<string> {
    return (await this.shell('readlink', 'now')).stdout.trim().replace('sets/', '');
  }

  /** Stands in for the engine that the edge runs on. */
  engine(host: string): Engine {
    const exec = async (container: string, argv: readonly string[], options?: Heard) => {
      const [shell = '', script = '', ...asked] = argv.map((word) => word.replaceAll('/live/', `${this.live()}/`));
      const words = this.made.includes(container)
        ? asked.map((word) => (word === this.address ? (this.#fromHost ?? word) : word))
        : asked;
      const command = script === '-c' ? 'all' : (words[0] ?? '');
      this.asked.push(command);
      if (this.refuses.includes(command)) throw new Error(`${host} is gone`);
      const said = await this.given(options?.stdin ?? '', shell, script, ...words);
      options?.onOutput?.('stdout', Buffer.from(said.stdout));
      if (this.loses.includes(command)) throw new Error(`${host} did not answer`);
      return said;
    };
    const putArchive = async (_container: string, _folder: string, files: readonly Delivered[]) => {
      for (const { path, type, content } of files) {
        if (type === 'directory') mkdirSync(this.live(path), { recursive: true });
        else writeFileSync(this.live(path), content);
      }
    };
    const getArchive = async (_container: string, path: string) => {
      const file = path.replace('/live/', `${this.live()}/`);
      return existsSync(file) ? [{ path: basename(file), content: readFileSync(file) }] : undefined;
    };
    const nothing = async () => undefined;
    const createContainer = async (name: string) => void this.made.push(name);
    const startContainer = async (name: string) => void this.moves.push(`start ${name}`);
    const stopContainer = async (name: string) => void this.moves.push(`stop ${name}`);
    const listContainers = async () => {
      this.moves.push('list');
      return this.containers.map((name) => ({ Id: name, Names: [`/${name}`], State: 'running', Labels: {} }));
    };
    const changes = { startContainer, stopContainer, removeContainer: nothing, updateContainer: nothing };
    const inspectContainer = async () => {
      const State = { Running: this.runs, Paused: false, StartedAt: '2026-01-01T00:00:00Z', ExitCode: 7 };
      return { Image: 'sha256:edge', State, RestartCount: 0, Config: { Labels: {} } };
    };
    const calls = {
      exec,
      putArchive,
      getArchive,
      createContainer,
      inspectContainer,
      listContainers,
      logs: this.#logs,
      ...changes,
      ping: nothing,
    };
    return { host, ...calls } as unknown as Engine;
  }

  /** A log that never ends, as of a host that stalls while it is read. */
  readonly #logs = async function* (this: EdgeFixture, _name: string, { signal }: { signal?: AbortSignal }) {
    this.asked.push('logs');
    yield { stream: 'stderr', line: 'EROFS: read-only file system, open \u001b[31m/app/x' };
    await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
  }.bind(this);

  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.unpublish();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

function anyAddress(): string {
  return ['127', ...Array.from({ length: 3 }, () => 1 + Math.floor(Math.random() * 250))].join('.');
}

interface Heard {
  readonly stdin?: string;
  readonly onOutput?: (stream: string, data: Buffer) => void;
}

interface Delivered {
  readonly path: string;
  readonly type?: string;
  readonly content: string;
}

/** The routes of a release, and where requests go that it does not answer. */
export function routesTo(primary: string, fallback = primary): RouteSet {
  return { 8000: { primary: `${primary}:8080`, fallback: `${fallback}:8080` } };
}

function exists(file: string): boolean {
  try {
    return readFileSync(file).length > 0;
  } catch {
    return false;
  }
}
