import { defaults } from '../../../pipelines/config/resolve/defaults.ts';
import type { Drift } from '../../../pipelines/inspection/drift.ts';
import type { HostView } from '../../../pipelines/inspection/observation.ts';
import type { PreflightReport } from '../../../pipelines/model/host-report.ts';
import type { Inventory } from '../../../pipelines/model/inventory.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import type { ProviderContext } from '../../context/provider-context.ts';
import type { CallOptions, Engine, LogOptions, OutputLine } from '../../docker/api/client.ts';
import type { Connections } from '../../docker/connections.ts';
import { labels } from '../../docker/labels.ts';
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
import { refuseOtherMtu } from '../network-mtu.ts';
import type { Workload } from '../workload.ts';
import { removeSwarmInventory, swarmInventory } from './inventory.ts';
import { reachableContainer } from './reach.ts';
import { endedOn, removeService, removeUnusedSecrets, restingSpec } from './removal.ts';
import { problemOfManager, quorumLoss, refuseWithoutNodes, servicesOf, swarmReport, swarmView } from './report.ts';
import { swarmDrift } from './swarm-drift.ts';
import { ServiceWorkload } from './service-workload.ts';

/** A Docker Swarm, on which releases run as services behind the edges of its managers. */
export class SwarmRuntime implements Runtime {
  readonly #swarm: Swarm;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  workload(context: ProviderContext, inputs: ContainerInputs): Workload {
    return new ServiceWorkload(context, { ...inputs, host: this.#swarm });
  }

  report(survey: Survey): Promise<PreflightReport> {
    return swarmReport(this.#swarm, survey);
  }

  async preflight(survey: Survey): Promise<PreflightReport> {
    const report = await swarmReport(this.#swarm, survey);
    const engine = await survey.connections.engine(this.#swarm);
    await refuseWithoutNodes(engine, this.#swarm);
    await refuseOtherMtu(engine, survey.app, survey.environment, { deadline: 10_000 });
    return report;
  }

  hostProblem(engine: Engine): Promise<HostProblem | undefined> {
    return problemOfManager(engine);
  }

  view(engine: Engine, look: Look): Promise<HostView> {
    return swarmView(engine, this.#swarm, look);
  }

  drift(engine: Engine, look: DriftLook): Promise<readonly Drift[]> {
    return swarmDrift(engine, this.#swarm, look);
  }

  silence(view: HostView, views: readonly HostView[]): string | undefined {
    return quorumLoss(this.#swarm, view, views);
  }

  inventory(engine: Engine, place: Place): Promise<Inventory> {
    return swarmInventory(engine, this.#swarm, place);
  }

  removeInventory(engine: Engine, inventory: Inventory, clearing: Clearing): Promise<void> {
    return removeSwarmInventory(engine, inventory, clearing);
  }

  async removeOthers(session: RemovalSession, place: Place, kept: ReadonlySet<string>): Promise<readonly []> {
    const own = { [labels.app]: place.app, [labels.environment]: place.environment };
    const engine = await session.connections.engine(this.#swarm);
    const services = await engine.listServices({ ...own, [labels.part]: 'release' });
    await Promise.all(
      services
        .filter(({ Spec }) => !kept.has(Spec.Name))
        .map(async (service) => {
          // What was seen may have come into service while this computer slept.
          await session.lock?.check();
          await removeService(engine, service, defaults.stopGrace);
          session.progress({ host: this.#swarm.name, step: 'remove', detail: service.Spec.Name });
        }),
    );
    await session.lock?.check();
    await removeUnusedSecrets(engine, own);
    // Migrations are containers of a manager.
    return [];
  }

  async endRoles(context: ProviderContext, place: Place, { roles, except, graces }: Ending): Promise<void> {
    const engine = await context.engine(this.#swarm);
    const own = { [labels.app]: place.app, [labels.environment]: place.environment, [labels.part]: 'release' };
    const services = await engine.listServices(own);
    await Promise.all(
      services
        .filter(({ Spec }) => roles.includes(Spec.Labels[labels.role] ?? '') && !except.has(Spec.Name))
        .map(async (service) => {
          const { Name, Mode } = service.Spec;
          const isResting = Mode.Replicated?.Replicas === 0;
          await context.checkLock();
          if (!isResting) await engine.updateService(service.ID, service.Version.Index, restingSpec(service.Spec));
          await endedOn(engine, service, graces.get(Name) ?? defaults.stopGrace);
          if (!isResting) context.progress({ host: this.#swarm.name, step: 'stop', detail: Name });
        }),
    );
  }

  async releaseParts(engine: Engine, place: Place, options: CallOptions): Promise<ReleasePart[]> {
    const services = await servicesOf(engine, place, options);
    return services.map(({ name, role, version, state }) => ({
      ...{ role, version, container: name },
      runs: state !== 'resting',
    }));
  }

  async specHashes(engine: Engine, place: Place): Promise<ReadonlyMap<string, string>> {
    const own = { [labels.app]: place.app, [labels.environment]: place.environment, [labels.part]: 'release' };
    const services = await engine.listServices(own);
    return new Map(services.map(({ Spec }) => [Spec.Name, Spec.Labels[labels.spec] ?? '']));
  }

  logs(engine: Engine, name: string, options: LogOptions): AsyncIterable<OutputLine> {
    return engine.serviceLogs(name, options);
  }

  execTarget(connections: Connections, name: string): Promise<ExecTarget> {
    return reachableContainer(connections, this.#swarm, name);
  }
}
