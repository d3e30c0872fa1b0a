import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { environmentNames } from '../pipelines/container.ts';
import type { Environment, Host } from '../pipelines/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../pipelines/record.ts';
import { existingContainers } from '../pipelines/standby.ts';
import { hostsToAsk, type HostView, type LockView, type SeenContainer } from '../pipelines/status.ts';
import { labels } from './containers.ts';
import { Edge, setName } from './edge/routes.ts';
import type { Engine } from './engine/client.ts';
import { HostKeyUnknownError, type Connections } from './engine/connections.ts';
import type { ContainerSummary } from './engine/types.ts';
import { readLock } from './lock.ts';
import { hostRoutes } from './routes.ts';
import { swarmView } from './swarm/survey.ts';

/** What the hosts of an environment say about it. */
export interface Observation {
  readonly hosts: readonly HostView[];
  readonly lock?: LockView;
}

export interface ObserveOptions {
  /** milliseconds that each host has */
  readonly patience: number;
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
  const [lockHost] = environment.hosts;
  let lock: LockView | undefined;
  const ask = async (host: Host, signal: AbortSignal): Promise<HostView> => {
    const engine = await connections.engine(host);
    if (host.managers) return swarmView(engine, host, { app, environment: environment.name }, { signal });
    const own = { [labels.app]: app, [labels.environment]: environment.name };
    const [version, containers, holder] = await Promise.all([
      engine.version({ signal }),
      engine.listContainers({ all: true, labels: own, signal }),
      host === lockHost ? readLock(engine, { app, environment: environment.name }, { signal }) : undefined,
    ]);
    lock ??= holder;
    const view: HostView = { host, engine: version.Version, containers: containers.map(seen) };
    return options.closely ? lookClosely(engine, app, environment, record, view, signal) : view;
  };
  const hosts = await Promise.all(hostsToAsk(environment, record).map((host) => within(options.patience, host, ask)));
  return { hosts, ...(lock ? { lock } : {}) };
}

async function within(
  patience: number,
  host: Host,
  ask: (host: Host, signal: AbortSignal) => Promise<HostView>,
): Promise<HostView> {
  const over = new AbortController();
  // Each question to the host listens to it.
  setMaxListeners(0, over.signal);
  const late = sleep(patience, undefined, { signal: over.signal }).then(
    () => ({ host, error: `does not answer within ${patience / 1000} s`, containers: [] }),
    (): never => {
      throw new Error('answered');
    },
  );
  try {
    return await Promise.race([ask(host, over.signal), late]);
  } catch (error) {
    const unknown = error instanceof HostKeyUnknownError ? ' (lockage host-key shows and pins it)' : '';
    return { host, error: `${error instanceof Error ? error.message : String(error)}${unknown}`, containers: [] };
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
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
  const recorded = hostRoutes({ serving: existingContainers(record, current), fallback: [] });
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
