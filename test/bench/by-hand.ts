/**
 * The baseline of the benchmark: the same change of release done by hand, on the same hosts, behind a proxy of its
 * own. Nothing is checked, recorded or undone, and the program is already running: the least time that the engines
 * need.
 */
import { Engine } from '../../infra/docker/api/client.ts';
import { HandEdge, handPort } from './hand-edge.ts';
import type { PlaceHost } from './stage.ts';
import type { Door } from './visitor.ts';

/** A unit that is changed by hand: a host, or a swarm. */
export interface Hand {
  readonly doors: readonly Door[];
  /** Puts the proxies in place. */
  prepare(edgeImage: string): Promise<void>;
  /** Creates, starts, waits until it answers, switches, stops the old one, removes it. */
  promote(image: string): Promise<void>;
  /** Starts another release and waits until it answers; returns its name. */
  start(image: string): Promise<string>;
  /** Switches the traffic to a release that runs, and does nothing else. */
  switchTo(name: string): Promise<void>;
  /** Closes the engines; what runs ends with its hosts. */
  close(): void;
}

const network = 'by-hand';

/** A host that is changed over the Engine API by the benchmark's own process. */
export class HandHost implements Hand {
  readonly doors: readonly Door[];
  readonly #engine: Engine;
  readonly #edge: HandEdge;
  #serving: string | undefined;
  #count = 0;

  constructor(host: PlaceHost) {
    this.#engine = engineOf(host);
    this.#edge = new HandEdge(this.#engine);
    this.doors = [{ address: host.address, port: handPort }];
  }

  async prepare(edgeImage: string): Promise<void> {
    await this.#engine.createNetwork(network);
    await this.#edge.start(edgeImage, network);
  }

  async promote(image: string): Promise<void> {
    const old = this.#serving;
    await this.switchTo(await this.start(image));
    if (old !== undefined) await this.#remove(old);
  }

  async start(image: string): Promise<string> {
    const name = `by-hand-${(this.#count += 1)}`;
    await this.#engine.createContainer(name, { Image: image, HostConfig: { NetworkMode: network, Init: true } });
    await this.#engine.startContainer(name);
    const found = await this.#engine.inspectContainer(name);
    await this.#edge.untilAnswers(found?.NetworkSettings.Networks[network]?.IPAddress ?? '');
    return name;
  }

  async switchTo(name: string): Promise<void> {
    await this.#edge.moveTo(`${name}:8080`);
    this.#serving = name;
  }

  close(): void {
    this.#engine.close();
  }

  async #remove(name: string): Promise<void> {
    await this.#engine.stopContainer(name, 2000);
    await this.#engine.removeContainer(name);
  }
}

/** Returns a host's engine, reached without Lockage. */
export function engineOf({ name, dockerHost }: PlaceHost): Engine {
  return new Engine({ host: name, socketPath: dockerHost.replace('unix://', '') });
}
