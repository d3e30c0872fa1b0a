/** Small servers on a bridge, each in a network of its own, so that one can go silent as a machine does that died. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeLoadBalancer } from '../../infra/machines/load-balancer/load-balancer.ts';
import { accepts } from '../../infra/machines/load-balancer/process.ts';
import { createBridge, freeSubnet, removeBridge } from '../../infra/machines/network.ts';
import { command } from './engine-fixture.ts';

/** A server that answers with its name as the version; `/slow?ms=N` after that time. */
const serverProgram = `
const [name, ...ports] = process.argv.slice(1);
const serve = (request, response) => {
  const url = new URL(request.url, 'http://x');
  const answer = () => response.setHeader('x-version', name).end(JSON.stringify(request.headers));
  setTimeout(answer, Number(url.searchParams.get('ms') ?? 0));
};
for (const port of ports) require('node:http').createServer({ keepAliveTimeout: 60000 }, serve).listen(Number(port));
`;

interface Server {
  readonly name: string;
  readonly address: string;
}

export class FrontSite {
  readonly home: string;
  readonly address: string;
  readonly #base: string;
  readonly #prefix: string;
  readonly #subnet: string;
  readonly #running = new Map<string, ChildProcess>();

  private constructor(base: string, subnet: string) {
    // Longer than the path of a socket may be.
    this.home = join(base, 'deep'.repeat(30), 'prod');
    this.#base = base;
    this.#subnet = subnet;
    this.#prefix = `lf${randomBytes(3).toString('hex')}`;
    this.address = `${subnet}.1`;
  }

  static async open(): Promise<FrontSite> {
    const site = new FrontSite(await mkdtemp('/tmp/lf-'), await freeSubnet());
    await createBridge(site.#prefix, site.#subnet);
    return site;
  }

  /** Starts a server with an address of its own and waits until it answers. */
  async serve(name: string, number: number, ports: readonly number[]): Promise<Server> {
    const address = `${this.#subnet}.${number}`;
    const [space, outside] = [this.#space(name), this.#device(name)];
    await command('ip', 'netns', 'add', space);
    await command('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    await command('ip', 'link', 'set', outside, 'master', this.#prefix, 'up');
    await command('ip', '-n', space, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await command('ip', '-n', space, 'link', 'set', 'eth0', 'up');
    const inside = ['ip', 'netns', 'exec', space, process.execPath, '-e', serverProgram, name, ...ports.map(String)];
    // By env, which becomes the program: the process to kill is the server's own.
    this.#running.set(name, spawn('env', inside, { stdio: 'inherit' }));
    while (!(await accepts(address, ports[0] ?? 0, 200)));
    return { name, address };
  }

  /** Ends the process at once; its kernel tells those that are connected. */
  async kill(name: string): Promise<void> {
    const child = this.#running.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Cuts the server off the network: nothing is heard of it from now on. */
  async silence(name: string): Promise<void> {
    await command('ip', 'link', 'delete', this.#device(name));
  }

  async remove(): Promise<void> {
    await removeLoadBalancer(this.home);
    for (const name of this.#running.keys()) {
      await this.kill(name);
      await command('ip', 'netns', 'delete', this.#space(name));
    }
    await removeBridge(this.#prefix, this.#subnet);
    await rm(this.#base, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`;
  }

  #device(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}
