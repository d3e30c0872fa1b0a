import { defaults } from '../../../pipelines/config/resolve/defaults.ts';
import type { Drift } from '../../../pipelines/inspection/drift.ts';
import type { HostView } from '../../../pipelines/inspection/observation.ts';
import type { HostReport, PreflightReport, RunningMigration } from '../../../pipelines/model/host-report.ts';
import type { Trait } from '../../../pipelines/model/host-traits.ts';
import type { Inventory } from '../../../pipelines/model/inventory.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import type { ProviderContext } from '../../context/provider-context.ts';
import type { CallOptions, ContainerSummary, Engine, LogOptions, OutputLine } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import type { Connections } from '../../docker/connections.ts';
import { labels, passingParts } from '../../docker/labels.ts';
import type { ContainerInputs, Place } from '../../resources/inputs.ts';
import type {
  Clearing,
  DriftLook,
  Ending,
  ExecTarget,
  HostProblem,
  Look,
  ReleasePart,
  RemovalSession,
  Runtime,
  Survey,
} from '../runtime.ts';
import { removeLeftProofs } from '../backup-proofs.ts';
import { removeOtherSecrets } from '../secret-volume.ts';
import type { Workload } from '../workload.ts';
import { ContainerWorkload } from './container-workload.ts';
import { hostDrift } from './host-drift.ts';
import { hostPreflight, hostReport } from './host-report.ts';
import { hostView } from './host-view.ts';
import { hostInventory, removeHostInventory } from './inventory.ts';
import { runningMigrations } from './running-migrations.ts';

/** A host, on whose Docker Engine releases run as containers, behind an edge of its own. */
export class ContainerRuntime implements Runtime {
  readonly #host: EnvironmentHost;

  constructor(host: EnvironmentHost) {
    this.#host = host;
  }

  workload(context: ProviderContext, inputs: ContainerInputs): Workload {
    return new ContainerWorkload(context, inputs);
  }

  report(survey: Survey): Promise<HostReport> {
    return hostReport(this.#host, survey);
  }

  preflight(survey: Survey, wanted: readonly Trait[]): Promise<PreflightReport> {
    return hostPreflight(this.#host, survey, wanted);
  }

  async hostProblem(): Promise<HostProblem | undefined> {
    return undefined;
  }

  view(engine: Engine, look: Look): Promise<HostView> {
    return hostView(engine, this.#host, look);
  }

  drift(engine: Engine, look: DriftLook): Promise<readonly Drift[]> {
    return hostDrift(engine, this.#host, look);
  }

  silence({ error }: HostView): string | undefined {
    return error;
  }

  inventory(engine: Engine, place: Place, ownLock: boolean): Promise<Inventory> {
    return hostInventory(engine, this.#host, place, ownLock);
  }

  removeInventory(engine: Engine, inventory: Inventory, clearing: Clearing): Promise<void> {
    return removeHostInventory(engine, inventory, clearing);
  }

  async removeOthers(
    session: RemovalSession,
    place: Place,
    recorded: ReadonlySet<string>,
  ): Promise<readonly RunningMigration[]> {
    const engine = await session.connections.engine(this.#host);
    const { [labels.part]: release, ...own } = releaseLabels(place);
    const all = await engine.listContainers({ all: true, labels: own });
    // Ended half-way, it would leave data that no release is written for.
    const atWork = runningMigrations(all, this.#host.name, place);
    const kept = new Set([...recorded, ...atWork.map(({ name }) => name)]);
    const names = all.filter(({ Labels }) => Labels[labels.part] === release).map(containerName);
    const others = names.filter((name) => !kept.has(name));
    await Promise.all([
      ...others.map(async (name) => {
        await session.lock?.check();
        await engine.stopContainer(name, defaults.stopGrace);
        // What was seen may have come into service while this computer slept.
        await session.lock?.check();
        await engine.removeContainer(name, { force: true });
        session.progress({ host: this.#host.name, step: 'remove', detail: name });
      }),
      ...all.filter(isLeft).map((container) => removeLeft(engine, container)),
    ]);
    // Those of containers that somebody else makes by now are not known here.
    await session.lock?.check();
    await removeOtherSecrets(engine, place, kept);
    await removeLeftProofs(engine, place);
    return atWork;
  }

  async endRoles(context: ProviderContext, place: Place, { roles, except, graces }: Ending): Promise<void> {
    const engine = await context.engine(this.#host);
    const all = await engine.listContainers({ all: true, labels: releaseLabels(place) });
    const ending = all.filter(({ Labels, State }) => roles.includes(Labels[labels.role] ?? '') && mayRun(State));
    await Promise.all(
      ending.map(containerName).map(async (name) => {
        if (except.has(name)) return;
        await context.checkLock();
        await engine.stopContainer(name, graces.get(name) ?? defaults.stopGrace);
        context.progress({ host: this.#host.name, step: 'stop', detail: name });
      }),
    );
  }

  async releaseParts(engine: Engine, place: Place, options: CallOptions): Promise<ReleasePart[]> {
    const containers = await engine.listContainers({ all: true, labels: releaseLabels(place), ...options });
    return containers.map((container) => ({
      role: container.Labels[labels.role] ?? '',
      version: container.Labels[labels.release] ?? '',
      container: containerName(container),
      runs: container.State === 'running',
    }));
  }

  async specHashes(engine: Engine, place: Place): Promise<ReadonlyMap<string, string>> {
    const containers = await engine.listContainers({ all: true, labels: releaseLabels(place) });
    return new Map(containers.map((container) => [containerName(container), container.Labels[labels.spec] ?? '']));
  }

  logs(engine: Engine, name: string, options: LogOptions): AsyncIterable<OutputLine> {
    return engine.logs(name, options);
  }

  async execTarget(connections: Connections, name: string): Promise<ExecTarget> {
    return { engine: await connections.engine(this.#host), container: name };
  }
}

/**
 * Returns whether a container was left by a command that was killed while it asked something of the host. Edges are tried
 * under the environment's lock, which is held here; whoever only looks may have somebody visit at this moment.
 */
function isLeft({ Labels, State }: ContainerSummary): boolean {
  const part = Labels[labels.part];
  return part === passingParts.trial || (part === passingParts.visit && State !== 'running');
}

/** Returns whether a container runs, or may at any moment: one that crashed is about to be restarted. */
function mayRun(state: string): boolean {
  return !['created', 'exited', 'dead', 'removing'].includes(state);
}

/** Removes what is left of visits. One that was about to begin runs by now, and is not removed then. */
async function removeLeft(engine: Engine, { Id, Labels }: ContainerSummary): Promise<void> {
  const force = Labels[labels.part] === passingParts.trial;
  await engine.removeContainer(Id, { force }).catch(() => undefined);
}

function releaseLabels({ app, environment }: Place): Record<string, string> {
  return { [labels.app]: app, [labels.environment]: environment, [labels.part]: 'release' };
}
