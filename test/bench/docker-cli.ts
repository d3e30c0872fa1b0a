/** A change of release with the Docker CLI, a chain of commands for each host, as a careful script would do it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { caddyConfig } from '../../infra/edge/caddy-config.ts';
import { run, tryRun } from '../../scripts/tools/command.ts';
import { edgeStart, handPort, moveTo } from './hand-edge.ts';
import type { PlaceHost } from './stage.ts';

const network = 'by-cli';
const edge = 'by-cli-edge';
const answerTimeout = 60_000;

/**
 * A host that is changed with the Docker CLI. Its port is the one of the change by hand, so it has one or the other.
 */
export class CliHost {
  readonly #dockerHost: string;
  #serving: string | undefined;
  #count = 0;

  constructor(host: PlaceHost) {
    this.#dockerHost = host.dockerHost;
  }

  async prepare(edgeImage: string): Promise<void> {
    await this.#docker('network', 'create', network);
    const settings = ['--network', network, '--init', '--publish', `${handPort}:${handPort}`];
    const config = `EDGE_CONFIG=${caddyConfig([handPort])}`;
    const start = ['--entrypoint', 'sh', edgeImage, '-c', edgeStart];
    await this.#docker('run', '--detach', '--name', edge, '--env', config, ...settings, ...start);
  }

  async promote(image: string): Promise<void> {
    const old = this.#serving;
    const name = `by-cli-${(this.#count += 1)}`;
    await this.#docker('run', '--detach', '--name', name, '--network', network, '--init', image);
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    const address = (await this.#docker('inspect', '--format', format, name)).trim();
    const probe = ['exec', edge, 'wget', '-q', '-O', '/dev/null', `http://${address}:8080/healthz`];
    for (const end = Date.now() + answerTimeout; (await this.#try(...probe)) === undefined; await sleep(20)) {
      if (Date.now() > end) throw new Error(`${name} does not answer`);
    }
    await this.#docker('exec', edge, 'sh', '-c', moveTo, 'sh', `${name}:8080`);
    this.#serving = name;
    if (old === undefined) return;
    await this.#docker('stop', '--time', '2', old);
    await this.#docker('rm', old);
  }

  #docker(...words: string[]): Promise<string> {
    return run(['docker', '-H', this.#dockerHost, ...words]);
  }

  #try(...words: string[]): Promise<string | undefined> {
    return tryRun(['docker', '-H', this.#dockerHost, ...words]);
  }
}
