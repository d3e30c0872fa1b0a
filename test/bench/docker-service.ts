/** A change of release by Swarm's own rolling update, as `docker service update` does it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../../infra/docker/api/client.ts';
import { over } from '../../infra/workloads/swarm/removal.ts';
import { run } from '../../scripts/tools/command.ts';
import { engineOf } from './by-hand.ts';
import { HandEdge, handPort } from './hand-edge.ts';
import type { PlaceHost } from './stage.ts';
import type { Door } from './visitor.ts';

const name = 'by-service';
const longest = 120_000;

/**
 * A service on a swarm whose nodes are all managers, behind a proxy on each node that finds its containers by name:
 * the way in is the same as Lockage's, and needs no routing mesh. Updates start the new containers first, all at once,
 * wait for their health check, and do not watch them afterwards.
 */
export class DockerService {
  readonly doors: readonly Door[];
  readonly #hosts: readonly PlaceHost[];
  readonly #engines: readonly Engine[];
  readonly #replicas: number;

  constructor(hosts: readonly PlaceHost[], replicas: number) {
    this.#hosts = hosts;
    this.#engines = hosts.map(engineOf);
    this.#replicas = replicas;
    this.doors = hosts.map(({ address }) => ({ address, port: handPort }));
  }

  async prepare(edgeImage: string, image: string): Promise<void> {
    await this.#docker('network', 'create', '--driver', 'overlay', '--attachable', name);
    for (const engine of this.#engines) {
      const edge = new HandEdge(engine);
      await edge.start(edgeImage, name);
      await edge.moveTo(`${name}:8080`);
    }
    const order = ['update', 'rollback'].flatMap((each) => [
      ...[`--${each}-order`, 'start-first', `--${each}-parallelism`, '0'],
      // The smallest value that it accepts: 0 would be its default of five seconds.
      ...[`--${each}-monitor`, '1ms'],
    ]);
    const health = ['--health-cmd', 'wget -q -O /dev/null http://127.0.0.1:8080/healthz', '--health-interval', '500ms'];
    const settings = ['--network', name, '--endpoint-mode', 'dnsrr', '--init', '--stop-grace-period', '2s'];
    const replicas = ['--replicas', String(this.#replicas), '--no-resolve-image', '--quiet'];
    await this.#docker('service', 'create', '--name', name, ...replicas, ...settings, ...health, ...order, image);
  }

  /**
   * Stops the service while something else is measured, or starts it again: its health checks cost a busy machine
   * much. Then waits until nothing is ending any more, of any service.
   */
  async rest(resting: boolean): Promise<void> {
    await this.#docker('service', 'scale', `${name}=${resting ? 0 : this.#replicas}`);
    for (const end = Date.now() + longest; Date.now() < end; await sleep(200)) {
      const tasks = (await this.#engines[0]?.listTasks()) ?? [];
      if (tasks.every(({ DesiredState, Status }) => DesiredState === 'running' || over.has(Status.State))) return;
    }
    throw new Error(`containers of the swarm do not end within ${longest / 1000} s`);
  }

  /** Closes the engines. */
  close(): void {
    for (const engine of this.#engines) engine.close();
  }

  /** Updates until the command says that the service has converged. */
  async update(image: string): Promise<void> {
    await this.#docker('service', 'update', '--quiet', '--no-resolve-image', '--image', image, name);
  }

  async rollback(): Promise<void> {
    await this.#docker('service', 'rollback', '--quiet', name);
  }

  #docker(...words: string[]): Promise<string> {
    return run(['docker', '-H', this.#hosts[0]?.dockerHost ?? '', ...words], { timeout: longest });
  }
}
