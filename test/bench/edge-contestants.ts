/** What stands between a visitor and an application, each a process of its own before the same application. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { caddyConfig } from '../../infra/edge/caddy-config.ts';
import { ensureCaddy } from '../../scripts/setup/caddy.ts';
import { drive } from './edge-client.ts';

export const contestants = ['application alone', 'HAProxy', 'plain Caddy', 'edge before', 'edge'] as const;
export type Contestant = (typeof contestants)[number];

const application = 7801;
/** The requests under way that an edge of 256 MiB takes. */
export const connections = 2048;

const program = `require('node:http').createServer((asked, response) => {
  asked.resume().on('end', () => response.end('{"version":"1.0.0"}'));
}).listen(${application}, '127.0.0.1')`;

/** The processes of the comparison, and what they need. */
export class Contest {
  readonly #folder: string;
  readonly #processes = new Map<Contestant, ChildProcess>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts all of them. */
  static async open(): Promise<Contest> {
    const contest = new Contest(await mkdtemp(join(tmpdir(), 'lockage-bench-edge-')));
    try {
      await contest.#start();
      return contest;
    } catch (error) {
      await contest.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const target = `127.0.0.1:${application}`;
    await this.#route(target);
    const caddy = await ensureCaddy();
    const edge = caddyConfig([portOf('edge')], { connections }).replaceAll('/live/', `${this.#folder}/`);
    const before = beforeConfig(portOf('edge before'), this.#folder);
    await this.#begin('application alone', process.execPath, ['-e', program]);
    const proxies: [Contestant, string, string][] = [
      ['plain Caddy', caddy, plainConfig(portOf('plain Caddy'), target)],
      ['edge before', caddy, before],
      ['edge', caddy, edge],
    ];
    for (const [name, file, config] of proxies) {
      await this.#begin(name, file, ['run', '--config', await this.#write(`${name}.json`, config)]);
    }
    const haproxy = await this.#write('haproxy.cfg', haproxyText(portOf('HAProxy'), target));
    await this.#begin('HAProxy', 'haproxy', ['-db', '-f', haproxy]);
  }

  /** The routes of both edges, as their sets are. */
  async #route(target: string): Promise<void> {
    const names = join(this.#folder, 'sets/a/to', String(portOf('edge')));
    await mkdir(names, { recursive: true });
    await writeFile(join(names, `${target},${target}`), '');
    for (const file of ['', '.fallback']) await this.#write(`sets/a/${portOf('edge before')}${file}`, target);
    await symlink('sets/a', join(this.#folder, 'now'));
  }

  async #write(name: string, text: string): Promise<string> {
    const file = join(this.#folder, name);
    await writeFile(file, text);
    return file;
  }

  async #begin(name: Contestant, file: string, words: string[]): Promise<void> {
    const child = spawn(file, words, { stdio: 'ignore', env: { ...process.env, GOMEMLIMIT: '218MiB' } });
    this.#processes.set(name, child);
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    await Promise.race([once(child, 'spawn'), failed]);
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await drive({ port: portOf(name), connections: 1, seconds: 0.1 })).answered > 0) return;
      await sleep(100);
    }
    throw new Error(`${name} does not answer`);
  }

  /** Returns the milliseconds of processor that it has used. */
  async processor(name: Contestant): Promise<number> {
    const stat = (await this.#read(name, 'stat')).split(') ')[1]?.split(' ') ?? [];
    // The clock of /proc ticks a hundred times a second.
    return (Number(stat[11]) + Number(stat[12])) * 10;
  }

  /** Returns the bytes of memory that it has. */
  async memory(name: Contestant): Promise<number> {
    return Number(/VmRSS:\s+(\d+)/.exec(await this.#read(name, 'status'))?.[1] ?? 0) * 1024;
  }

  #read(name: Contestant, file: string): Promise<string> {
    return readFile(`/proc/${this.#processes.get(name)?.pid}/${file}`, 'utf8');
  }

  async close(): Promise<void> {
    for (const child of this.#processes.values()) child.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export function portOf(name: Contestant): number {
  return application + contestants.indexOf(name);
}

function plainConfig(port: number, dial: string): string {
  return caddyWith(port, { handler: 'reverse_proxy', upstreams: [{ dial }] });
}

/** As edges were configured when they read their routes from files. */
function beforeConfig(port: number, folder: string): string {
  return caddyWith(port, {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `{file.${folder}/now/${port}}` }, { dial: `{file.${folder}/now/${port}.fallback}` }],
    load_balancing: { selection_policy: { policy: 'first' }, try_duration: '8s', try_interval: '100ms' },
    health_checks: { passive: { fail_duration: '500ms', max_fails: 3 } },
    transport: { protocol: 'http', keep_alive: { idle_timeout: '20s', max_idle_conns_per_host: 256 } },
  });
}

function caddyWith(port: number, handler: object): string {
  const server = { listen: [`:${port}`], automatic_https: { disable: true }, routes: [{ handle: [handler] }] };
  const logging = { logs: { default: { level: 'ERROR' } } };
  return JSON.stringify({ admin: { disabled: true }, logging, apps: { http: { servers: { server } } } });
}

function haproxyText(port: number, target: string): string {
  return `defaults
  mode http
  timeout connect 3s
  timeout client 1h
  timeout server 1h
  option forwardfor
listen bench
  bind 127.0.0.1:${port}
  server application ${target}
`;
}
