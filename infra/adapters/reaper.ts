import type { Project } from '../../pipelines/model/environment.ts';
import { environmentNamed } from '../../pipelines/model/pipeline.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import type { Session } from '../context/session.ts';
import { isDesktop } from '../hosts/engine-report.ts';
import { ensureReaper } from '../hosts/reaper.ts';
import { imageKey } from '../programs/foundation-plan.ts';
import type { RegistryClient } from '../registry/client.ts';
import { pinImages, type StandIn } from './foundation-images.ts';

interface Dependencies {
  readonly project: Project;
  readonly session: Session;
  readonly registry: RegistryClient;
  /** what serves where the edge’s image cannot be had */
  readonly standIn?: StandIn | undefined;
}

/** Where engines listen on their own machines. */
const usualSocket = '/var/run/docker.sock';

/** What makes hosts remove environments by themselves. */
export class ReaperAdapter {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Makes sure that the hosts of an environment remove it at a deadline, in seconds since 1970 by their own clocks. They get the edge's
   * image first, which a reaper is made of too. Throws LockageError.
   */
  async ensure(name: string, deadline: number): Promise<void> {
    const { project, session, registry, standIn } = this.#dependencies;
    const { app, edgeImage: image } = project;
    const environment = environmentNamed(project, name);
    const uses = environment.hosts.map((host) => ({ host, image }));
    const { held } = await pinImages({ session, registry, standIn }, environment, uses, {});
    for (const { host } of uses) {
      const engine = await session.connections.engine(host);
      const socketPath = socketOf(host, (await engine.info()).OperatingSystem);
      const local = held[imageKey(host.name, image)] ?? image;
      await ensureReaper(engine, { app, environment: name, image: local, deadline, socketPath });
    }
  }
}

/** Returns the socket of an engine as its own machine knows it: that of one in a virtual machine here has another path there. */
function socketOf(host: EnvironmentHost, system: string): string {
  if (host.kind !== 'host' || isDesktop(system)) return usualSocket;
  const { endpoint } = host;
  if (endpoint.kind === 'ssh') return endpoint.socket;
  return endpoint.kind === 'unix' && process.platform === 'linux' ? endpoint.socket : usualSocket;
}
