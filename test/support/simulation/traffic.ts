import { readdirSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { labels } from '../../../infra/docker/labels.ts';
import type { SimulatedContainer } from './container.ts';
import { publishedPorts, variablesOf } from './details.ts';

/** The host of containers that answer, as far as their answers depend on it. */
export interface TrafficHost {
  /** its own address */
  readonly address: string;
  containers(): Iterable<SimulatedContainer>;
  /** Returns the folder of a volume. */
  volumeFolder(volume: string): string;
}

/** What containers of a host answer on the network: applications by what they are, edges by the files that lie in their volume. */
export class Traffic {
  readonly #host: TrafficHost;
  readonly #servers = new Map<SimulatedContainer, Server[]>();

  constructor(host: TrafficHost) {
    this.#host = host;
  }

  /** Lets a container answer from here on. */
  async open(container: SimulatedContainer): Promise<void> {
    const { address, image } = container;
    const { serves } = image;
    if (serves) return this.#listen(container, address, serves.port, (response) => answer(container, response));
    const inside = edgePorts(container);
    const published = publishedPorts(container);
    await Promise.all([
      ...inside.map((port) => this.#listen(container, address, port, this.#edge(container, port))),
      ...published.map((port) =>
        this.#listen(container, this.#host.address, port.outside, this.#edge(container, port.inside)),
      ),
    ]);
  }

  /** Ends that, at once. */
  close(container: SimulatedContainer): void {
    for (const server of this.#servers.get(container) ?? []) {
      server.close();
      server.closeAllConnections();
    }
    this.#servers.delete(container);
  }

  async #listen(
    container: SimulatedContainer,
    address: string,
    port: number,
    give: (response: ServerResponse) => void,
  ): Promise<void> {
    // What is paused takes connections and says nothing.
    const server = createServer((_, response) => container.isPaused || give(response));
    this.#servers.set(container, [...(this.#servers.get(container) ?? []), server]);
    await new Promise<void>((resolve, reject) => void server.once('error', reject).listen(port, address, resolve));
  }

  /** Answers as Caddy does that is configured by `caddyConfig`. */
  #edge(edge: SimulatedContainer, port: number): (response: ServerResponse) => void {
    return (response) => {
      const target = this.#targets(edge, port)
        .map((name) => this.#find(edge, name))
        .find((found) => found !== undefined);
      if (target) answer(target, response);
      else response.writeHead(503, { 'Retry-After': '1' }).end();
    };
  }

  /** Returns where a port leads to: what serves, and where a request goes that finds no answer there. */
  #targets(edge: SimulatedContainer, port: number): string[] {
    const live = edge.mounts.find(({ target }) => target === '/live');
    if (!live) return [];
    try {
      const [name = ''] = readdirSync(join(this.#host.volumeFolder(live.volume), 'now/to', String(port)));
      return name.split(',').slice(0, 2);
    } catch {
      return [];
    }
  }

  #find(edge: SimulatedContainer, target: string): SimulatedContainer | undefined {
    const [name = '', port = ''] = target.split(':');
    const networks = Object.keys(edge.networks);
    return [...this.#host.containers()].find(
      (each) =>
        each.isRunning &&
        each.image.serves?.port === Number(port) &&
        networks.some((network) => each.namesOn(network).includes(name)),
    );
  }
}

/** Says which version answers. One that is paused never does. */
function answer(container: SimulatedContainer, response: ServerResponse): void {
  if (container.isPaused) return;
  const { status = 200 } = container.image.serves ?? {};
  response.writeHead(status).end(container.body.Labels?.[labels.release] ?? container.name);
}

/** Returns the ports that an edge listens on; none for anything else. */
export function edgePorts(container: SimulatedContainer): number[] {
  const found = variablesOf(container).find((line) => line.startsWith('EDGE_PORTS='));
  return (found ?? '=').slice('EDGE_PORTS='.length).split(' ').filter(Boolean).map(Number);
}
