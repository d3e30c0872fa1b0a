import { expiryWarnings } from '../../../pipelines/hosts/certificates.ts';
import { diskWarnings } from '../../../pipelines/hosts/disk.ts';
import type { EdgeView, HostView, SeenContainer } from '../../../pipelines/inspection/observation.ts';
import { currentRevision, existingContainers } from '../../../pipelines/model/ledger.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import { messageOf } from '../../../pipelines/errors.ts';
import type { Engine } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import type { ContainerSummary } from '../../docker/api/types.ts';
import { labels, passingParts, reaperPart } from '../../docker/labels.ts';
import { diskOfEngine } from '../../edge/disk.ts';
import { Edge, isNamed, silenceText, type RouteSet, type Visited } from '../../edge/edge.ts';
import { hostRoutes, idleRoutes } from '../../edge/host-routes.ts';
import { visitsOf } from '../../edge/visits.ts';
import type { Look } from '../runtime.ts';
import { isSecretPart, lostVolumes } from '../secret-volume.ts';

/** Reports an environment on a host for `status`. */
export async function hostView(engine: Engine, host: EnvironmentHost, look: Look): Promise<HostView> {
  const { app, environment, detailed, signal } = look;
  const own = { [labels.app]: app, [labels.environment]: environment };
  const [version, containers] = await Promise.all([
    // The engine starts two programs to answer this: not for one screen of all environments.
    detailed ? engine.version({ signal }) : undefined,
    engine.listContainers({ all: true, labels: own, signal }),
  ]);
  const warnings = expiryWarnings(engine.certificates, Date.now());
  const lost = [...lostVolumes(containers)];
  const seenBriefly: HostView = {
    host,
    ...(version ? { engine: version.Version } : {}),
    containers: containers.filter((container) => !isHidden(container)).map(seen),
    ...(lost.length > 0 ? { faults: lost.map((volume) => `${volume} is empty since a restart`) } : {}),
    warnings,
  };
  const [disk, looked, detail] = await Promise.all([
    diskOfEngine(engine, environmentNames(app, environment).edge, { signal }),
    lookAtEdge(engine, look, seenBriefly),
    detailed ? Promise.all(seenBriefly.containers.map((container) => withTimes(engine, container, signal))) : undefined,
  ]);
  return {
    ...seenBriefly,
    warnings: [...warnings, ...diskWarnings(disk)],
    ...looked,
    ...(detail ? { containers: detail } : {}),
  };
}

async function withTimes(engine: Engine, container: SeenContainer, signal: AbortSignal): Promise<SeenContainer> {
  const found = await engine.inspectContainer(container.name, { signal });
  if (!found) return container;
  const { Running: running, StartedAt: started, FinishedAt: finished } = found.State;
  return { ...container, since: running ? started : finished, restarts: found.RestartCount };
}

/** Asks what the edge says, and what it answers visitors; nothing where no edge runs. */
async function lookAtEdge(
  engine: Engine,
  look: Look,
  view: HostView,
): Promise<Pick<HostView, 'routes' | 'edge' | 'fence'>> {
  const { app, environment, record, signal } = look;
  const current = currentRevision(record.ledger);
  const serving = current ? existingContainers(record, current) : [];
  const kept = record.containers.filter((placed) => !serving.includes(placed));
  const { ledger } = record;
  const idle = current ? idleRoutes({ serving, standby: kept, ledger }) : [];
  const recorded = [...hostRoutes({ serving, fallback: [], ledger }), ...idle];
  const own = recorded.find(({ host }) => host.name === view.host.name);
  if (!view.containers.some(({ part, state }) => part === 'edge' && state === 'running')) {
    return own ? { routes: 'unknown' } : {};
  }
  try {
    const edge = new Edge(engine, environmentNames(app, environment).edge);
    const visited = await edge.visit(own ? visitsOf(own.host, serving) : [], { signal });
    const { fence } = visited;
    return {
      edge: edgeView(visited),
      ...(fence ? { fence } : {}),
      ...(own ? { routes: routesOf(visited, own.set) } : {}),
    };
  } catch (error) {
    signal.throwIfAborted();
    // Its containers are worth showing even if the edge cannot be asked.
    return { edge: { problem: messageOf(error) }, ...(own ? { routes: 'unknown' } : {}) };
  }
}

function edgeView({ guarded, silent }: Visited): EdgeView {
  return { guarded, silent: silent.map(silenceText) };
}

/** Returns whether the edge sends its traffic where the record says, and answers. */
function routesOf({ pending, now, silent }: Visited, set: RouteSet): NonNullable<HostView['routes']> {
  if (pending !== undefined) return 'unconfirmed';
  // One that never served has no set yet.
  const isClosed = Object.keys(set).length === 0 && now === 'none';
  if (!isNamed(now, set) && !isClosed) return 'differ';
  return silent.length === 0 ? 'as recorded' : 'no answer';
}

/**
 * Returns whether a container is none that somebody looks for: it keeps secrets in memory or waits for the environment's end, as
 * long as it does that, or it visits public ports for `status`.
 */
function isHidden({ Labels, State }: ContainerSummary): boolean {
  const part = Labels[labels.part];
  if (part === passingParts.visit) return true;
  return State === 'running' && (isSecretPart(part) || part === reaperPart);
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
