/** The proxy in front of what is changed by hand: one per host, with one route, moved by a rename like Lockage's. */
import type { Engine } from '../../infra/docker/api/client.ts';
import { caddyConfig } from '../../infra/edge/caddy-config.ts';

export const handPort = 9000;

const edge = 'by-hand-edge';
export const edgeStart =
  'mkdir -p /live/now && cd /live/now && echo 127.0.0.1:9 | tee 9000 > 9000.fallback && ' +
  'printf %s "$EDGE_CONFIG" > /live/caddy.json && exec caddy run --config /live/caddy.json';
export const moveTo = 'echo "$1" > /live/next && mv /live/next /live/now/9000';
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
