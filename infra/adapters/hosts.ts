import { randomUUID } from 'node:crypto';
import { expiryWarnings } from '../../pipelines/hosts/certificates.ts';
import { defaults } from '../../pipelines/config/resolve/defaults.ts';
import type { DesiredState, PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { needsInfo, traitsOf } from '../../pipelines/hosts/parity.ts';
import type { Hosts } from '../../pipelines/operations/ports.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { Engine } from '../docker/api/client.ts';
import { Edge } from '../edge/edge.ts';
import type { ContainerSummary, EngineVersion, PullProgress } from '../docker/api/types.ts';
import { engineFacts } from '../hosts/facts.ts';
import { ensureImage, removeUnusedImages } from '../hosts/images.ts';
import { publishedPorts } from '../edge/published-ports.ts';
import { liftLock, readLock, takeLock, thisProcess } from '../hosts/environment-lock.ts';
import type { LockHolder } from '../../pipelines/model/lock-holder.ts';
import { hostRoutes } from '../edge/host-routes.ts';
import { workloadFor } from '../workloads/workloads.ts';
import { switchRoutes } from '../provider/switch-routes.ts';
import type { RegistryClient } from '../registry/client.ts';
import { removeService, removeUnusedSecrets } from '../workloads/swarm/removal.ts';
import { swarmIdOf, swarmReport } from '../workloads/swarm/report.ts';
import { providerContext, type Session } from '../context/session.ts';
import { labels } from '../docker/labels.ts';
import { allOf } from '../hosts/all-hosts.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { HostTraits, Trait, Traits } from '../../pipelines/model/host-traits.ts';
import type { PreflightReport, HostReport } from '../../pipelines/model/host-report.ts';

/** Milliseconds a host has to answer before a change: a connection of before may lead to a host that is gone. */
const answerTimeout = 10_000;

/** The hosts of an environment, asked and changed all at once. */
export class HostsAdapter implements Hosts {
  readonly #app: string;
  readonly #actor: string;
  readonly #session: Session;
  readonly #registry: RegistryClient;

  constructor(app: string, actor: string, session: Session, registry: RegistryClient) {
    this.#app = app;
    this.#actor = actor;
    this.#session = session;
    this.#registry = registry;
  }

  async lock(environment: Environment, purpose: string): Promise<() => Promise<void>> {
    const [first] = environment.hosts;
    if (!first) return async () => undefined;
    const engine = await this.#session.connections.engine(first);
    const holder = { actor: this.#actor, ...(await thisProcess()), since: new Date().toISOString(), purpose };
    return takeLock(engine, { app: this.#app, environment: environment.name }, holder, randomUUID());
  }

  async lockHolder(environment: Environment): Promise<LockHolder | undefined> {
    const [first] = environment.hosts;
    if (!first) return undefined;
    const engine = await this.#session.connections.engine(first);
    return readLock(engine, { app: this.#app, environment: environment.name });
  }

  async liftLock(environment: Environment): Promise<void> {
    const [first] = environment.hosts;
    if (!first) return;
    const engine = await this.#session.connections.engine(first);
    await liftLock(engine, { app: this.#app, environment: environment.name });
  }

  async look(environment: Environment): Promise<readonly HostReport[]> {
    const found = await this.#ofAll(environment, (host, engine) => this.#ask(environment, host, engine));
    return this.#withSwarm(environment, found);
  }

  async preflight(environment: Environment, wanted: readonly Trait[] = []): Promise<readonly PreflightReport[]> {
    const found = await this.#ofAll(environment, async (host, engine): Promise<PreflightReport> => {
      const [report, { version, traits }] = await Promise.all([
        this.#ask(environment, host, engine),
        askTraits(engine, wanted),
      ]);
      return { ...report, platform: `${version.Os}/${version.Arch}`, traits };
    });
    return this.#withSwarm(environment, found);
  }

  async #ofAll<T>(environment: Environment, ask: (host: Host, engine: Engine) => Promise<T>): Promise<T[]> {
    const { hosts, name } = environment;
    const connected = await this.#session.connections.connectAll(hosts);
    const reports = await Promise.allSettled(
      connected.map(async (found) => {
        if ('error' in found) throw found.error;
        return ask(found.host, found.engine);
      }),
    );
    return allOf(hosts, reports, (failed) => `${failed} of ${hosts.length} hosts of ${name} cannot be used`);
  }

  /** What managers said, and after them what their swarm says of itself. */
  async #withSwarm<T extends HostReport>(
    environment: Environment,
    found: readonly T[],
  ): Promise<(T | PreflightReport)[]> {
    const { swarm, name } = environment;
    if (!swarm) return [...found];
    await this.#checkOneSwarm(environment);
    const engine = await this.#session.connections.engine(swarm);
    const edges = found.every(({ edge }) => edge);
    return [...found, await swarmReport(engine, swarm, { app: this.#app, environment: name }, edges)];
  }

  /** Throws LockageError when the managers, which have all answered, are of two swarms. */
  async #checkOneSwarm({ hosts }: Environment): Promise<void> {
    const swarms = await Promise.all(
      hosts.map(async (host) => ({ host, id: await swarmIdOf(await this.#session.connections.engine(host), host) })),
    );
    const [first] = swarms;
    const other = swarms.find(({ id }) => id !== first?.id);
    if (!first || !other) return;
    throw new LockageError(`${other.host.name} is a manager of another swarm than ${first.host.name}`, {
      hint: 'All managers of an environment have to be of one swarm: `docker swarm leave`, then `docker swarm join`.',
    });
  }

  async #ask(environment: Environment, host: Host, engine: Engine): Promise<HostReport> {
    if (environment.swarm) await swarmIdOf(engine, host);
    const containers = await engine.listContainers({ all: true, deadline: answerTimeout });
    const own = containers.filter((container) => this.#owns(environment, container));
    const foreign = containers.filter((container) => !this.#owns(environment, container));
    refuseTakenPorts(environment, host, foreign);
    const running = new Set(own.filter(({ State }) => State === 'running').map(nameOf));
    return {
      host,
      running,
      present: new Set(own.map(nameOf)),
      foreign: new Set(foreign.map(nameOf)),
      edge: running.has(environmentNames(this.#app, environment.name).edge),
      warnings: expiryWarnings(engine.certificates, Date.now()),
    };
  }

  async traits(environment: Environment, wanted: readonly Trait[]): Promise<readonly HostTraits[]> {
    const { hosts, name } = environment;
    const found = await Promise.allSettled(
      (await this.#session.connections.connectAll(hosts)).map(async (connected): Promise<HostTraits> => {
        if ('error' in connected) throw connected.error;
        const { traits } = await askTraits(connected.engine, wanted);
        return { environment: name, host: connected.host.name, traits };
      }),
    );
    return allOf(hosts, found, (failed) => `${failed} of ${hosts.length} hosts of ${name} cannot be compared with`);
  }

  #owns(environment: Environment, container: ContainerSummary): boolean {
    return container.Labels[labels.app] === this.#app && container.Labels[labels.environment] === environment.name;
  }

  async pull(environment: Environment, release: Release): Promise<Readonly<Record<string, number>>> {
    const moved = await Promise.allSettled(
      environment.hosts.map(async (host) => {
        const onProgress = ({ layer, current = 0, total = 0 }: PullProgress) =>
          this.#session.progress({ host: host.name, step: 'pull', layer: { id: layer, current, total } });
        const dependencies = { session: this.#session, registry: this.#registry, onProgress };
        const bytes = await ensureImage(dependencies, environment, host, release);
        this.#session.progress({ host: host.name, step: 'pulled', bytes });
        return [host.name, bytes] as const;
      }),
    );
    this.#session.signal.throwIfAborted();
    const { hosts } = environment;
    const what = (failed: number) =>
      `release ${release.version} cannot be pulled on ${failed} of ${hosts.length} hosts`;
    return Object.fromEntries(allOf(hosts, moved, what));
  }

  async forgetImages(environment: Environment, repository: string, needed: ReadonlySet<string>): Promise<void> {
    await Promise.allSettled(
      environment.hosts.map(async (host) => {
        await removeUnusedImages(await this.#session.connections.engine(host), repository, needed);
      }),
    );
  }

  async switchNow(desired: DesiredState): Promise<void> {
    const { app, environment, operation } = desired;
    const hosts = hostRoutes(desired);
    await switchRoutes(providerContext(this.#session, false), { app, environment, operation, hosts, guard: 0 });
  }

  async startAndStop(
    environment: Environment,
    start: readonly PlacedContainer[],
    stop: readonly PlacedContainer[],
  ): Promise<void> {
    const context = providerContext(this.#session, false);
    const place = { app: this.#app, environment: environment.name };
    const part = (placed: PlacedContainer) => workloadFor(context, { ...place, ...placed });
    await Promise.all([...start.map((placed) => part(placed).start()), ...stop.map((placed) => part(placed).stop())]);
  }

  async removeOthers(environment: Environment, recorded: readonly PlacedContainer[]): Promise<void> {
    const app = this.#app;
    const own = { [labels.app]: app, [labels.environment]: environment.name, [labels.part]: 'release' };
    await Promise.all(
      environment.hosts.map(async (host) => {
        const engine = await this.#session.connections.engine(host);
        const names = (await engine.listContainers({ all: true, labels: own })).map(nameOf);
        const kept = new Set(recorded.filter((placed) => placed.host.name === host.name).map(({ spec }) => spec.name));
        const others = names.filter((name) => !kept.has(name));
        await Promise.all(
          others.map(async (name) => {
            await engine.stopContainer(name, defaults.stopGrace);
            await engine.removeContainer(name, { force: true });
            this.#session.progress({ host: host.name, step: 'remove', detail: name });
          }),
        );
        await new Edge(engine, environmentNames(app, environment.name).edge).forgetSecrets(others);
      }),
    );
    if (environment.swarm) await this.#removeOtherServices(environment.swarm, own, recorded);
  }

  async #removeOtherServices(
    swarm: Host,
    own: Record<string, string>,
    recorded: readonly PlacedContainer[],
  ): Promise<void> {
    const engine = await this.#session.connections.engine(swarm);
    const kept = new Set(recorded.filter(({ host }) => host.name === swarm.name).map(({ spec }) => spec.name));
    const others = (await engine.listServices(own)).filter(({ Spec }) => !kept.has(Spec.Name));
    await Promise.all(
      others.map(async (service) => {
        await removeService(engine, service, defaults.stopGrace);
        this.#session.progress({ host: swarm.name, step: 'remove', detail: service.Spec.Name });
      }),
    );
    const { [labels.part]: _, ...place } = own;
    await removeUnusedSecrets(engine, place);
  }
}

/** Its version, and what it is made of: as far as that is known without a further question, unless it is wanted. */
async function askTraits(
  engine: Engine,
  wanted: readonly Trait[],
): Promise<{ readonly version: EngineVersion; readonly traits: Traits }> {
  const call = { deadline: answerTimeout };
  const [version, info] = await Promise.all([engine.version(call), needsInfo(wanted) ? engine.info(call) : undefined]);
  return { version, traits: traitsOf(engineFacts(version, info)) };
}

/** A public port that somebody else's container has would fail later, when the edge starts. */
function refuseTakenPorts(environment: Environment, host: Host, foreign: readonly ContainerSummary[]): void {
  for (const port of publishedPorts(environment, host)) {
    const holder = foreign.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port));
    if (!holder) continue;
    throw new LockageError(
      `port ${port} is taken by container ${nameOf(holder)}, which is not of ${environment.name}`,
      {
        hint: `Stop ${nameOf(holder)} on ${host.name}, or give the role another \`publish\` port.`,
      },
    );
  }
}

function nameOf(container: ContainerSummary): string {
  return container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
}
