import { expiryWarnings } from '../../pipelines/hosts/certificates.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { withoutCordoned } from '../../pipelines/model/cordons.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import { hostsToAsk } from '../../pipelines/inspection/status.ts';
import { queryHosts, type Timeouts } from './query.ts';
import { Edge, setName } from '../edge/edge.ts';
import type { Engine } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import type { ContainerSummary } from '../docker/api/types.ts';
import { readLock } from './environment-lock.ts';
import { hostRoutes } from '../edge/host-routes.ts';
import { quorumLoss, swarmView } from '../workloads/swarm/report.ts';
import { labels } from '../docker/labels.ts';
import type { HostView, LockView, SeenContainer } from '../../pipelines/inspection/observation.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Host } from '../../pipelines/model/target.ts';

/** What the hosts of an environment say about it. */
export interface Observation {
  readonly hosts: readonly HostView[];
  readonly lock?: LockView;
}

export interface ObserveOptions {
  /** for each host */
  readonly timeouts: Timeouts;
  /** ask each container since when it runs, and the edge for its routes */
  readonly closely?: boolean;
}

/** Asks all hosts of an environment at once. Never throws for a host: one that does not answer says why. */
export async function observe(
  connections: Connections,
  app: string,
  environment: Environment,
  record: EnvironmentRecord,
  options: ObserveOptions,
): Promise<Observation> {
  const [lockHost] = withoutCordoned(environment, record.ledger).hosts;
  let lock: LockView | undefined;
  const ask = async (host: Host, signal: AbortSignal, heard: () => void): Promise<HostView> => {
    const engine = await connections.engine(host);
    heard();
    if (host.managers) return swarmView(engine, host, { app, environment: environment.name }, { signal });
    const own = { [labels.app]: app, [labels.environment]: environment.name };
    const [version, containers, holder] = await Promise.all([
      // The engine starts two programs to answer this: not for one screen of all environments.
      options.closely ? engine.version({ signal }) : undefined,
      engine.listContainers({ all: true, labels: own, signal }),
      host === lockHost ? readLock(engine, { app, environment: environment.name }, { signal }) : undefined,
    ]);
    lock ??= holder;
    const warnings = expiryWarnings(engine.certificates, Date.now());
    const view: HostView = {
      host,
      ...(version ? { engine: version.Version } : {}),
      containers: containers.map(seen),
      warnings,
    };
    return options.closely ? lookClosely(engine, app, environment, record, view, signal) : view;
  };
  const cordonOf = (host: Host) => record.ledger.cordons?.find((each) => each.host === host.name);
  const all = hostsToAsk(environment, record);
  const asked = await queryHosts(
    all.filter((host) => !cordonOf(host)),
    options.timeouts,
    ask,
  );
  const views = all.map((host): HostView => {
    const cordon = cordonOf(host);
    if (cordon) return { host, cordon, containers: [] };
    const found = asked.find((each) => each.host.name === host.name);
    return found && 'answer' in found ? found.answer : { host, ...found, containers: [] };
  });
  const hosts = views.map((view): HostView => {
    const error = view.host.managers && quorumLoss(view, views);
    return error === undefined ? view : { ...view, error };
  });
  return { hosts, ...(lock ? { lock } : {}) };
}

async function lookClosely(
  engine: Engine,
  app: string,
  environment: Environment,
  record: EnvironmentRecord,
  view: HostView,
  signal: AbortSignal,
): Promise<HostView> {
  const [containers, routes] = await Promise.all([
    Promise.all(view.containers.map((container) => withTimes(engine, container, signal))),
    routesOf(engine, environmentNames(app, environment.name).edge, record, view),
  ]);
  return { ...view, containers, ...(routes ? { routes } : {}) };
}

async function withTimes(engine: Engine, container: SeenContainer, signal: AbortSignal): Promise<SeenContainer> {
  const found = await engine.inspectContainer(container.name, { signal });
  if (!found) return container;
  const { Running: running, StartedAt: started, FinishedAt: finished } = found.State;
  return { ...container, since: running ? started : finished, restarts: found.RestartCount };
}

/** Whether the edge sends its traffic where the record says; undefined where the record says nothing. */
async function routesOf(
  engine: Engine,
  edge: string,
  record: EnvironmentRecord,
  view: HostView,
): Promise<HostView['routes']> {
  const current = currentRevision(record.ledger);
  if (!current) return undefined;
  const recorded = hostRoutes({
    serving: existingContainers(record, current),
    fallback: [],
    ledger: record.ledger,
  });
  const own = recorded.find(({ host }) => host.name === view.host.name);
  if (!own) return undefined;
  if (!view.containers.some(({ part, state }) => part === 'edge' && state === 'running')) return 'unknown';
  try {
    const { now, pending } = await new Edge(engine, edge).show();
    if (pending !== undefined) return 'unconfirmed';
    return now === setName(own.set) ? 'as recorded' : 'differ';
  } catch {
    // Its containers are worth showing even if the edge cannot be asked.
    return 'unknown';
  }
}

/** The name of a container without the engine's leading slash. */
export function containerName(container: ContainerSummary): string {
  return container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
}

function seen(container: ContainerSummary): SeenContainer {
  return {
    name: containerName(container),
    part: container.Labels[labels.part] ?? '',
    role: container.Labels[labels.role] ?? '',
    version: container.Labels[labels.release] ?? '',
    state: container.State,
  };
}
