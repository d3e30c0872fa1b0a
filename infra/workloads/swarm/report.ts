import { LockageError } from '../../../pipelines/errors.ts';
import type { CallOptions, Engine } from '../../docker/api/client.ts';
import { managerProblem } from '../../docker/swarm-leader.ts';
import type { SwarmNode } from '../../docker/api/types.ts';
import type { Place } from '../../resources/inputs.ts';
import { isDown } from './removal.ts';
import { serviceState } from './service-state.ts';
import { labels } from '../../docker/labels.ts';
import type { HostView, SeenContainer } from '../../../pipelines/inspection/observation.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import type { PreflightReport } from '../../../pipelines/model/host-report.ts';

/** What a swarm says about an environment before a change. `edges`: whether all its managers' edges run. */
export async function swarmReport(engine: Engine, swarm: Host, place: Place, edges: boolean): Promise<PreflightReport> {
  const [services, nodes, all] = await Promise.all([
    servicesOf(engine, place),
    engine.listNodes(),
    engine.listServices({}),
  ]);
  const own = new Set(services.map(({ name }) => name));
  const platforms = nodes.filter(isUsable).map(platformOf);
  return {
    host: swarm,
    platform: [...new Set(platforms)].sort().join(', '),
    running: new Set(services.filter(({ state }) => state === 'running').map(({ name }) => name)),
    present: own,
    foreign: new Set(all.map(({ Spec }) => Spec.Name).filter((name) => !own.has(name))),
    edge: edges,
    traits: {},
    warnings: [],
  };
}

/** What a swarm says about an environment to who looks. */
export async function swarmView(engine: Engine, swarm: Host, place: Place, options: CallOptions): Promise<HostView> {
  const [containers, nodes] = await Promise.all([servicesOf(engine, place, options), engine.listNodes(options)]);
  const managers = nodes.filter(({ Spec }) => Spec.Role === 'manager').length;
  return {
    host: swarm,
    engine: `Swarm of ${nodes.length} nodes, ${managers} of them managers`,
    containers,
    faults: nodes.filter(isDown).map(({ Description, Status }) => `node ${Description.Hostname} is ${Status.State}`),
  };
}

/** Why nobody speaks for a swarm, as it is told to who looks: its managers that do not answer come first. */
export function quorumLoss({ host, error }: HostView, views: readonly HostView[]): string | undefined {
  const { managers = [] } = host;
  const silent = managers.filter(({ name }) =>
    views.some((view) => view.host.name === name && view.error !== undefined),
  );
  if (error === undefined || silent.length === 0) return error;
  const verb = silent.length === 1 ? 'does' : 'do';
  return `has no leader in reach: ${silent.length} of ${managers.length} managers ${verb} not answer`;
}

/** An environment's services, each as one part of a release. */
export async function servicesOf(engine: Engine, place: Place, options: CallOptions = {}): Promise<SeenContainer[]> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const [services, tasks] = await Promise.all([engine.listServices(own, options), engine.listTasks(options)]);
  return services
    .map((service): SeenContainer => {
      const { word, tasks: running, since } = serviceState(service, tasks);
      const { Name, Labels } = service.Spec;
      return {
        name: Name,
        part: Labels[labels.part] ?? '',
        role: Labels[labels.role] ?? '',
        version: Labels[labels.release] ?? '',
        state: word,
        replicas: running.length,
        ...(since ? { since } : {}),
      };
    })
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** Throws LockageError unless an engine is a manager of a swarm that can decide; gives the swarm's id. */
export async function swarmIdOf(engine: Engine, manager: Host): Promise<string> {
  const problem = await managerProblem(engine);
  if (problem !== undefined) {
    throw new LockageError(`${manager.name}: ${problem}`, {
      hint: 'docs/swarm.md says how a swarm begins, and what to do when it breaks.',
    });
  }
  return (await engine.info()).Swarm?.Cluster?.ID ?? '';
}

function isUsable({ Status, Spec }: SwarmNode): boolean {
  return !isDown({ Status }) && Spec.Availability === 'active';
}

const architectures: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

function platformOf({ Description: { Platform } }: SwarmNode): string {
  return `${Platform.OS}/${architectures[Platform.Architecture] ?? Platform.Architecture}`;
}
