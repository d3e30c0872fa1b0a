import { LockageError } from '../../../pipelines/errors.ts';
import type { HostView, SeenContainer } from '../../../pipelines/inspection/observation.ts';
import type { PreflightReport } from '../../../pipelines/model/host-report.ts';
import type { EnvironmentHost, Swarm } from '../../../pipelines/model/target.ts';
import type { CallOptions, Engine } from '../../docker/api/client.ts';
import type { SwarmNode } from '../../docker/api/types.ts';
import { labels } from '../../docker/labels.ts';
import { managerProblem } from '../../docker/swarm-leader.ts';
import type { Place } from '../../resources/inputs.ts';
import type { HostProblem, Look, Survey } from '../runtime.ts';
import { isDown } from './removal.ts';
import { serviceState } from './service-state.ts';

/** Reports an environment's services before a change, and whether the edges of all its managers run. */
export async function swarmReport(swarm: Swarm, survey: Survey): Promise<PreflightReport> {
  await checkOneSwarm(survey);
  const engine = await survey.connections.engine(swarm);
  const place = { app: survey.app, environment: survey.environment.name };
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
    edge: survey.hosts.every(({ edge }) => edge),
    traits: {},
    warnings: [],
  };
}

/** Reports an environment's services for `status`. */
export async function swarmView(engine: Engine, swarm: Swarm, look: Look): Promise<HostView> {
  const options = { signal: look.signal };
  const [containers, nodes] = await Promise.all([servicesOf(engine, look, options), engine.listNodes(options)]);
  const managers = nodes.filter(({ Spec }) => Spec.Role === 'manager').length;
  return {
    host: swarm,
    engine: `Swarm of ${nodes.length} nodes, ${managers} of them managers`,
    containers,
    faults: nodes.filter(isDown).map(({ Description, Status }) => `node ${Description.Hostname} is ${Status.State}`),
  };
}

/** Returns why no manager speaks for a swarm: managers that do not answer come first, then the swarm's own problem. */
export function quorumLoss({ managers }: Swarm, { error }: HostView, views: readonly HostView[]): string | undefined {
  const silent = managers.filter(({ name }) =>
    views.some((view) => view.host.name === name && view.error !== undefined),
  );
  if (error === undefined || silent.length === 0) return error;
  const verb = silent.length === 1 ? 'does' : 'do';
  return `has no leader in reach: ${silent.length} of ${managers.length} managers ${verb} not answer`;
}

/** Returns an environment's services, each as one workload of a release. */
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

/** Throws LockageError when the managers, which have all answered, are of two swarms. */
async function checkOneSwarm({ connections, environment: { hosts } }: Survey): Promise<void> {
  const swarms = await Promise.all(
    hosts.map(async (host) => ({ host, id: await swarmIdOf(await connections.engine(host), host) })),
  );
  const [first] = swarms;
  const other = swarms.find(({ id }) => id !== first?.id);
  if (!first || !other) return;
  throw new LockageError(`${other.host.name} is a manager of another swarm than ${first.host.name}`, {
    hint: 'All managers of an environment have to be of one swarm: `docker swarm leave`, then `docker swarm join`.',
  });
}

/** Returns a swarm's id. Throws LockageError unless the engine is a manager of a swarm that can decide. */
async function swarmIdOf(engine: Engine, manager: EnvironmentHost): Promise<string> {
  const found = await problemOfManager(engine);
  if (found) throw new LockageError(`${manager.name}: ${found.problem}`, { hint: found.hint });
  return (await engine.info()).Swarm?.Cluster?.ID ?? '';
}

/** Returns why an engine cannot speak for its swarm, and what helps; undefined when it can. */
export async function problemOfManager(engine: Engine): Promise<HostProblem | undefined> {
  const problem = await managerProblem(engine);
  const hint = 'docs/swarm.md says how a swarm begins, and what to do when it breaks.';
  return problem === undefined ? undefined : { problem, hint };
}

/** Throws LockageError when a swarm has no node that takes containers: whatever is brought there would wait for one. */
export async function refuseWithoutNodes(engine: Engine, swarm: Swarm): Promise<void> {
  const nodes = await engine.listNodes();
  if (nodes.some(isUsable)) return;
  throw new LockageError(`${swarm.name}: none of its nodes takes containers`, {
    details: nodes.map(({ Description, Spec, Status }) => {
      const is = isDown({ Status }) ? Status.State : `set to ${Spec.Availability}`;
      return `node ${Description.Hostname} is ${is}`;
    }),
    hint: 'Bring nodes back, or run `docker node update --availability active NODE` on a manager.',
  });
}

function isUsable({ Status, Spec }: SwarmNode): boolean {
  return !isDown({ Status }) && Spec.Availability === 'active';
}

/** What kernels call processors, as images name them; the others have one name. */
const architectures: Readonly<Record<string, string>> = {
  ...{ x86_64: 'amd64', aarch64: 'arm64' },
  ...{ armv8l: 'arm', armv7l: 'arm', armv6l: 'arm', i686: '386', i586: '386', i386: '386', loongarch64: 'loong64' },
};

/** Returns the platform of a node, as a host's engine tells its own. */
export function platformOf({ Description: { Platform } }: Pick<SwarmNode, 'Description'>): string {
  return `${Platform.OS}/${architectures[Platform.Architecture] ?? Platform.Architecture}`;
}
