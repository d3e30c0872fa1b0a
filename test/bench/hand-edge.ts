/** The proxy in front of what is changed by hand: one per host, with one route, moved by a rename like Lockage's. */
import type { Engine } from '../../infra/docker/api/client.ts';
import { caddyConfig } from '../../infra/edge/caddy-config.ts';

export const handPort = 9000;

const edge = 'by-hand-edge';
export const edgeStart =
  'mkdir -p /live && printf %s "$EDGE_CONFIG" > /live/caddy.json && exec caddy run --config /live/caddy.json';
export const moveTo =
  'cd /live && mkdir -p "sets/$1/to/9000" && : > "sets/$1/to/9000/$1,$1" && ln -sfn "sets/$1" next && mv -fT next now';
const untilItAnswers = 'until wget -q -O /dev/null "$1"; do usleep 20000; done';

export class HandEdge {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Starts it on an existing network. */
  async start(image: string, network: string): Promise<void> {
    const [repository = '', digest = ''] = image.split('@');
    await this.#engine.pull(repository, digest);
    await this.#engine.createContainer(edge, {
      Image: image,
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

  /** Sends traffic to `name:port`. */
  async moveTo(target: string): Promise<void> {
    await this.#run(moveTo, target);
  }

  /** Asks a release at an address until it answers. */
  async untilAnswers(address: string): Promise<void> {
    await this.#run(untilItAnswers, `http://${address}:8080/healthz`);
  }

  async #run(script: string, word: string): Promise<void> {
    const { code, stderr } = await this.#engine.exec(edge, ['sh', '-c', script, 'sh', word], { deadline: 30_000 });
    if (code !== 0) throw new Error(`by hand: exit code ${code} in ${edge}: ${stderr}`);
  }
}
