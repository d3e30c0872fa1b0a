/**
 * What the benchmark compares with: the same change of release done by hand, on the same hosts, behind a proxy of its
 * own. Nothing is checked, recorded or undone, and the program runs already: the least time that the engines need.
 */
import { caddyConfig } from '../../infra/edge/caddy.ts';
import { Engine } from '../../infra/engine/client.ts';
import type { LabHost } from '../../scripts/lab/lab.ts';
import type { Door } from './visitor.ts';

export const handPort = 9000;

const network = 'by-hand';
const edge = 'by-hand-edge';
export const edgeStart =
  'mkdir -p /live/now && cd /live/now && echo 127.0.0.1:9 | tee 9000 > 9000.fallback && ' +
  'printf %s "$EDGE_CONFIG" > /live/caddy.json && exec caddy run --config /live/caddy.json';
export const moveTo = 'echo "$1" > /live/next && mv /live/next /live/now/9000';
const untilItAnswers = 'until wget -q -O /dev/null "$1"; do usleep 20000; done';

/** One host, changed over the Engine API by the benchmark's own process. */
export class HandHost {
  readonly door: Door;
  readonly #engine: Engine;
  #serving: string | undefined;
  #count = 0;

  constructor(host: LabHost) {
    this.#engine = new Engine({ host: host.name, socketPath: host.dockerHost.replace('unix://', '') });
    this.door = { address: host.address, port: handPort };
  }

  /** Puts the proxy in place. */
  async prepare(edgeImage: string): Promise<void> {
    const [repository = '', digest = ''] = edgeImage.split('@');
    await this.#engine.pull(repository, digest);
    await this.#engine.createNetwork(network);
    await this.#engine.createContainer(edge, {
      Image: edgeImage,
      Entrypoint: ['sh', '-c', edgeStart],
      Env: [`EDGE_CONFIG=${caddyConfig([handPort])}`],
      ExposedPorts: { [`${handPort}/tcp`]: {} },
      HostConfig: {
        NetworkMode: network,
        Init: true,
        PortBindings: { [`${handPort}/tcp`]: [{ HostPort: `${handPort}` }] },
      },
    });
    await this.#engine.startContainer(edge);
  }

  /** Create, start, wait until it answers, switch, stop the old one, remove it. */
  async promote(image: string): Promise<void> {
    const old = this.#serving;
    await this.switchTo(await this.start(image));
    if (old !== undefined) await this.#remove(old);
  }

  /** A container more, which answers. */
  async start(image: string): Promise<string> {
    const name = `by-hand-${(this.#count += 1)}`;
    await this.#engine.createContainer(name, { Image: image, HostConfig: { NetworkMode: network, Init: true } });
    await this.#engine.startContainer(name);
    await this.#inEdge(untilItAnswers, `http://${await this.#address(name)}:8080/healthz`);
    return name;
  }

  /** The switch alone, to a container that runs. */
  async switchTo(name: string): Promise<void> {
    await this.#inEdge(moveTo, `${name}:8080`);
    this.#serving = name;
  }

  /** Lets go of the engine; the containers end with their host. */
  close(): void {
    this.#engine.close();
  }

  async #remove(name: string): Promise<void> {
    await this.#engine.stopContainer(name, 2000);
    await this.#engine.removeContainer(name);
  }

  async #address(name: string): Promise<string> {
    const found = await this.#engine.inspectContainer(name);
    return found?.NetworkSettings.Networks[network]?.IPAddress ?? '';
  }

  async #inEdge(script: string, word: string): Promise<void> {
    const { code, stderr } = await this.#engine.exec(edge, ['sh', '-c', script, 'sh', word], { deadline: 30_000 });
    if (code !== 0) throw new Error(`by hand: exit code ${code} in ${edge}: ${stderr}`);
  }
}
