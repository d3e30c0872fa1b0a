/** The edge of a host without a container: Caddy with the edge's configuration, and the edge's script beside it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, createServer, request, type RequestListener, type Server } from 'node:http';
import { createServer as createPlainServer, type AddressInfo } from 'node:net';
import { caddyConfig, type EdgeConfig } from '../../infra/edge/caddy-config.ts';
import type { PortTarget } from '../../infra/edge/edge.ts';
import { edgeBody } from '../../infra/workloads/foundation/edge-container.ts';
import type { EdgeLimits } from '../../pipelines/model/environment.ts';
import { ensureCaddy } from '../../scripts/setup/caddy.ts';
import { cachedCaddy } from '../../scripts/tools/cache.ts';
import { EdgeFixture } from './edge-fixture.ts';
import { Limited } from './limited.ts';
import { NameServer } from './name-server.ts';

export interface Answer {
  /** absent where the connection ended without one */
  readonly status?: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly took: number;
}

interface Asking {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns Caddy's configuration and the limits that an edge's container is made with. */
export function edgeOf(ports: readonly number[], limits: EdgeLimits = {}) {
  const { Env = [], HostConfig = {} } = edgeBody({ app: 'shop', environment: 'prod', ports, limits });
  const valuesOf = (name: string) =>
    Env.filter((variable) => variable.startsWith(name)).map((variable) => variable.slice(variable.indexOf('=') + 1));
  const [memory = ''] = valuesOf('GOMEMLIMIT=');
  return { config: valuesOf('EDGE_CONFIG_').join(''), memory, hostConfig: HostConfig };
}

export class CaddyEdge {
  readonly script = new EdgeFixture();
  /** what its engine would say of names */
  readonly names = new NameServer();
  readonly #servers: Server[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  #caddy: ChildProcess | undefined;
  #group: Limited | undefined;
  #revision = 0;

  /** Starts Caddy. */
  async start(ports: readonly number[], settings: EdgeConfig = {}): Promise<void> {
    await this.#start(ports, caddyConfig(ports, settings), (config) =>
      spawn(cachedCaddy(), ['run', '--config', config], { stdio: 'ignore' }),
    );
  }

  /** Starts Caddy within the limits that its container would have. It needs root. */
  async startWithin(limits: EdgeLimits, ports: readonly number[]): Promise<void> {
    const { config: text, memory, hostConfig } = edgeOf(ports, limits);
    const group = await Limited.by(hostConfig);
    this.#group = group;
    const env = { ...process.env, GOMEMLIMIT: memory };
    await this.#start(ports, text, (config) =>
      spawn(...group.command(cachedCaddy(), this.script.live('caddy'), ['run', '--config', config]), {
        stdio: 'ignore',
        env,
      }),
    );
  }

  async #start(ports: readonly number[], written: string, begin: (config: string) => ChildProcess): Promise<void> {
    await ensureCaddy();
    const config = this.script.live('caddy.json');
    const resolver = JSON.stringify({ addresses: [await this.names.start()] });
    const text = written
      .replaceAll('/live/', `${this.script.live()}/`)
      .replaceAll('"source":"a"', `"source":"a","resolver":${resolver}`)
      .replaceAll('"protocol":"http"', `"protocol":"http","resolver":${resolver}`);
    writeFileSync(config, text);
    this.#caddy = begin(config);
    const answers = async () => (await this.ask(ports[0] ?? 0, '/', { method: 'OPTIONS' })).status !== undefined;
    await this.switchTo(Object.fromEntries(ports.map((port) => [port, { primary: '-:-', fallback: '-:-' }])));
    while (!(await answers())) continue;
  }

  /** Starts a release. Returns where it is. */
  async release(listener: RequestListener): Promise<string> {
    return `127.0.0.1:${await this.#listen(listener, { host: '127.0.0.1', port: 0 })}`;
  }

  /**
   * Starts a release of several containers, each at an address of its own, under one name. Returns where it is; the
   * addresses are in `names`.
   */
  async releaseOf(name: string, listeners: readonly RequestListener[]): Promise<string> {
    const addresses = listeners.map((_, index) => `127.0.1.${index + 1}`);
    let port = 0;
    for (const [index, listener] of listeners.entries()) {
      port = await this.#listen(listener, { host: addresses[index], port });
    }
    this.names.names.set(name, addresses);
    return `${name}:${port}`;
  }

  /** Ends the release that began first as a stop does: what is under way ends well. */
  retire(): void {
    const server = this.#servers.shift()?.close();
    const timer = setInterval(() => server?.closeIdleConnections(), 50).unref();
    server?.once('close', () => clearInterval(timer));
  }

  /** Returns whether Caddy is the process that was started. */
  get runs(): boolean {
    return this.#caddy?.exitCode === null && this.#caddy.signalCode === null;
  }

  /** Ends a container of a release as a crash does. */
  end(address: string): void {
    const ended = this.#servers.find((server) => (server.address() as AddressInfo | null)?.address === address);
    ended?.close().closeAllConnections();
  }

  async #listen(listener: RequestListener, at: { host: string | undefined; port: number }): Promise<number> {
    const server = createServer(listener);
    this.#servers.push(server);
    await once(server.listen(at), 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Sends traffic elsewhere. */
  async switchTo(set: Readonly<Record<number, PortTarget>>): Promise<void> {
    const name = this.script.deliver(set);
    const { code, stderr } = await this.script.run('switch', name, `${(this.#revision += 1)}:op:0:`, '0');
    if (code !== 0) throw new Error(stderr);
  }

  /** Asks by a public port. */
  ask(port: number, path: string, options: Asking = {}): Promise<Answer> {
    const { method = 'GET', body = '', headers = {} } = options;
    const started = performance.now();
    return new Promise((resolve) => {
      const none = () => resolve({ headers: {}, body: '', took: performance.now() - started });
      const call = request({ host: '127.0.0.1', port, path, method, headers, agent: this.#agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', none);
        response.on('end', () => {
          const { statusCode: status = 0 } = response;
          resolve({ status, headers: response.headers, body: text, took: performance.now() - started });
        });
      });
      call.on('error', none).end(body);
    });
  }

  async remove(): Promise<void> {
    this.#agent.destroy();
    this.names.close();
    for (const server of this.#servers) server.close().closeAllConnections();
    if (this.#caddy?.exitCode === null) {
      this.#caddy.kill('SIGKILL');
      await once(this.#caddy, 'exit');
    }
    await this.#group?.remove();
    this.script.remove();
  }
}

/** Returns ports at which nothing listens. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createPlainServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
