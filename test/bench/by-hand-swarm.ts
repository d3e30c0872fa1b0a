import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../infra/docker/api/client.ts';
import { removeService } from '../../infra/workloads/swarm/removal.ts';
import { engineOf, type Hand } from './by-hand.ts';
import { HandEdge, handPort } from './hand-edge.ts';
import type { PlaceHost } from './stage.ts';
import type { Door } from './visitor.ts';

const network = 'by-hand';
const grace = 2000;
const answerTimeout = 60_000;

/** A swarm whose nodes are all managers, changed over the Engine API: a release is a service beside the serving one. */
export class HandSwarm implements Hand {
  readonly doors: readonly Door[];
  readonly #nodes: readonly { readonly engine: Engine; readonly edge: HandEdge }[];
  readonly #replicas: number;
  #serving: string | undefined;
  #count = 0;

  constructor(hosts: readonly PlaceHost[], replicas: number) {
    this.#nodes = hosts.map(engineOf).map((engine) => ({ engine, edge: new HandEdge(engine) }));
    this.#replicas = replicas;
    this.doors = hosts.map(({ address }) => ({ address, port: handPort }));
  }

  get #manager(): Engine {
    const [first] = this.#nodes;
    if (!first) throw new Error('a swarm has a node at least');
    return first.engine;
  }

  async prepare(edgeImage: string): Promise<void> {
    await this.#manager.createNetwork(network, { Driver: 'overlay', Attachable: true });
    await Promise.all(this.#nodes.map(({ edge }) => edge.start(edgeImage, network)));
  }

  async promote(image: string): Promise<void> {
    const old = this.#serving;
    await this.switchTo(await this.start(image));
    const service = old === undefined ? undefined : await this.#manager.inspectService(old);
    if (service) await removeService(this.#manager, service, grace);
  }

  async start(image: string): Promise<string> {
    const name = `by-hand-${(this.#count += 1)}`;
    const id = await this.#manager.createService({
      Name: name,
      Labels: {},
      TaskTemplate: {
        ContainerSpec: { Image: image, Init: true, StopGracePeriod: grace * 1e6 },
        Networks: [{ Target: network }],
      },
      Mode: { Replicated: { Replicas: this.#replicas } },
      EndpointSpec: { Mode: 'dnsrr' },
    });
    const addresses = await this.#running(id);
    // Each is checked once, by one of the proxies.
    await Promise.all(
      this.#nodes.flatMap(({ edge }, node) =>
        addresses
          .filter((_, index) => index % this.#nodes.length === node)
          .map((address) => edge.untilAnswers(address)),
      ),
    );
    return name;
  }

  async switchTo(name: string): Promise<void> {
    await Promise.all(this.#nodes.map(({ edge }) => edge.moveTo(`${name}:8080`)));
    this.#serving = name;
  }

  close(): void {
    for (const { engine } of this.#nodes) engine.close();
  }

  /** Waits for all containers of a service; returns their addresses. */
  async #running(service: string): Promise<string[]> {
    for (const end = Date.now() + answerTimeout; Date.now() < end; await sleep(50)) {
      const tasks = (await this.#manager.listTasks()).filter(
        ({ ServiceID, DesiredState, Status }) =>
          ServiceID === service && DesiredState === 'running' && Status.State === 'running',
      );
      if (tasks.length === this.#replicas) {
        return tasks.map((task) => task.NetworksAttachments?.[0]?.Addresses?.[0]?.split('/')[0] ?? '');
      }
    }
    throw new Error(`by hand: the service does not run after ${answerTimeout / 1000} s`);
  }
}
