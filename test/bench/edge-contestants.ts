/** What stands between a visitor and an application, each a process of its own before the same application. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { haproxyConfig } from '../../infra/machines/load-balancer/haproxy-config.ts';
import { ensureCaddy } from '../../scripts/setup/caddy.ts';
import { edgeOf } from '../support/caddy-edge.ts';
import { Limited } from '../support/limited.ts';
import { NameServer } from '../support/name-server.ts';
import { drive } from '../support/driver.ts';

/** `edge of several` is that of a swarm, or of a role with several containers; `load balancer` is the front of machines. */
export const contestants = [
  'application alone',
  'HAProxy',
  'plain Caddy',
  'edge before',
  'edge',
  'edge of several',
  'load balancer',
] as const;
export type Contestant = (typeof contestants)[number];

const application = 7801;
/** Where the application is for those who spread requests. */
const addresses = ['127.0.1.1', '127.0.1.2', '127.0.1.3'];

/** The application: one process at all its addresses. It counts what came to each, and tells who asks for that. */
const program = (frontPort: number) => `const counts = {};
const server = require('node:http').createServer((asked, response) => {
  if (asked.url === '/counts') return response.end(JSON.stringify(counts));
  const { localAddress } = asked.socket;
  counts[localAddress] = (counts[localAddress] ?? 0) + 1;
  asked.resume().on('end', () => response.end('{"version":"1.0.0"}'));
});
server.listen(${application}, '127.0.0.1');
for (const address of ${JSON.stringify(addresses)}) {
  for (const port of [${application}, ${frontPort}]) {
    require('node:http').createServer((...both) => server.emit('request', ...both)).listen(port, address);
  }
}`;

/** The processes of the comparison, and what they need. */
export class Contest {
  readonly #folder: string;
  readonly #processes = new Map<Contestant, ChildProcess>();
  readonly #names = new NameServer();
  readonly #groups: Limited[] = [];
  #resolver: string | undefined;

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
    const before = beforeConfig(portOf('edge before'), this.#folder);
    await this.#begin('application alone', process.execPath, ['-e', program(portOf('load balancer'))]);
    const proxies: [Contestant, string, string][] = [
      ['plain Caddy', caddy, plainConfig(portOf('plain Caddy'), target)],
      ['edge before', caddy, before],
      ['edge', caddy, await this.#edgeConfig('edge')],
      ['edge of several', caddy, await this.#edgeConfig('edge of several')],
    ];
    for (const [name, file, config] of proxies) {
      await this.#begin(name, file, ['run', '--config', await this.#write(`${name}.json`, config)]);
    }
    const haproxy = await this.#write('haproxy.cfg', haproxyText(portOf('HAProxy'), target));
    await this.#begin('HAProxy', 'haproxy', ['-db', '-f', haproxy]);
    const servers = addresses.map((address) => ({ name: address, address }));
    const text = haproxyConfig({ address: '127.0.0.1', ports: [portOf('load balancer')], servers });
    const front = await this.#write('front.cfg', text);
    await this.#begin('load balancer', 'haproxy', ['-db', '-C', this.#folder, '-f', front]);
  }

  async #edgeConfig(name: Contestant): Promise<string> {
    this.#resolver ??= JSON.stringify({ addresses: [await this.#names.start()] });
    return edgeOf([portOf(name)])
      .config.replaceAll('/live/', `${this.#folder}/`)
      .replaceAll('"source":"a"', `"source":"a","resolver":${this.#resolver}`);
  }

  /** The routes of all edges, as their sets are. */
  async #route(target: string): Promise<void> {
    this.#names.names.set('several', addresses);
    const several = `several:${application}`;
    const routes = { edge: `${target},${target}`, 'edge of several': `${several},${several},${addresses.length}` };
    for (const name of ['edge', 'edge of several'] as const) {
      const names = join(this.#folder, 'sets/a/to', String(portOf(name)));
      await mkdir(names, { recursive: true });
      await writeFile(join(names, routes[name]), '');
    }
    for (const file of ['', '.fallback']) await this.#write(`sets/a/${portOf('edge before')}${file}`, target);
    await symlink('sets/a', join(this.#folder, 'now'));
  }

  async #write(name: string, text: string): Promise<string> {
    const file = join(this.#folder, name);
    await writeFile(file, text);
    return file;
  }

  async #begin(name: Contestant, file: string, words: string[]): Promise<void> {
    const env = { ...process.env, GOMEMLIMIT: edgeOf([]).memory };
    const child = spawn(file, words, { stdio: 'ignore', env });
    this.#processes.set(name, child);
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    await Promise.race([once(child, 'spawn'), failed]);
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await drive({ port: portOf(name), connections: 1, seconds: 0.1 })).answered > 0) return;
      await sleep(100);
    }
    throw new Error(`${name} does not answer`);
  }

  /** Leaves it that share of a processor from now on, so that it is what is at its limit, and not who asks. */
  async limit(name: Contestant, cpus: number): Promise<void> {
    const group = await Limited.by({ NanoCpus: cpus * 1e9 });
    this.#groups.push(group);
    await group.take(this.#processes.get(name)?.pid ?? 0);
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

  /** Returns the bytes of memory that it has for itself, without its program, which all share that run it. */
  async ownMemory(name: Contestant): Promise<number> {
    return Number(/RssAnon:\s+(\d+)/.exec(await this.#read(name, 'status'))?.[1] ?? 0) * 1024;
  }

  /** Returns how many requests have come to each address of the application, of those that are spread. */
  async counts(): Promise<number[]> {
    const counts = (await (await fetch(`http://127.0.0.1:${application}/counts`)).json()) as Record<string, number>;
    return addresses.map((address) => counts[address] ?? 0);
  }

  #read(name: Contestant, file: string): Promise<string> {
    return readFile(`/proc/${this.#processes.get(name)?.pid}/${file}`, 'utf8');
  }

  async close(): Promise<void> {
    for (const child of this.#processes.values()) child.kill('SIGKILL');
    for (const group of this.#groups) await group.remove();
    if (this.#resolver !== undefined) this.#names.close();
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
