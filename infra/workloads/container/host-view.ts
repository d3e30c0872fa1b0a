import { expiryWarnings } from '../../../pipelines/hosts/certificates.ts';
import type { HostView, SeenContainer } from '../../../pipelines/inspection/observation.ts';
import { currentRevision, existingContainers, type EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import { environmentNames } from '../../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../../pipelines/model/target.ts';
import type { Engine } from '../../docker/api/client.ts';
import { containerName } from '../../docker/api/names.ts';
import type { ContainerSummary } from '../../docker/api/types.ts';
import { labels } from '../../docker/labels.ts';
import { Edge, isNamed, type EdgeState } from '../../edge/edge.ts';
import { hostRoutes } from '../../edge/host-routes.ts';
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
    containers: containers.filter((container) => !keepsSecrets(container)).map(seen),
    ...(lost.length > 0 ? { faults: lost.map((volume) => `${volume} is empty since a restart`) } : {}),
    warnings,
  };
  return detailed ? lookInDetail(engine, look, seenBriefly) : seenBriefly;
}

async function lookInDetail(engine: Engine, look: Look, view: HostView): Promise<HostView> {
  const { edge } = environmentNames(look.app, look.environment);
  const isUp = view.containers.some(({ part, state }) => part === 'edge' && state === 'running');
  const [containers, state] = await Promise.all([
    Promise.all(view.containers.map((container) => withTimes(engine, container, look.signal))),
    // Its containers are worth showing even if the edge cannot be asked.
    isUp ? new Edge(engine, edge).show().catch(() => undefined) : undefined,
  ]);
  const routes = routesOf(state, look.record, view);
  return { ...view, containers, ...(routes ? { routes } : {}), ...(state?.fence ? { fence: state.fence } : {}) };
}

async function withTimes(engine: Engine, container: SeenContainer, signal: AbortSignal): Promise<SeenContainer> {
  const found = await engine.inspectContainer(container.name, { signal });
  if (!found) return container;
  const { Running: running, StartedAt: started, FinishedAt: finished } = found.State;
  return { ...container, since: running ? started : finished, restarts: found.RestartCount };
}

/** Whether the edge sends its traffic where the record says; undefined where the record says nothing. */
function routesOf(state: EdgeState | undefined, record: EnvironmentRecord, view: HostView): HostView['routes'] {
  const current = currentRevision(record.ledger);
  if (!current) return undefined;
  const recorded = hostRoutes({
    serving: existingContainers(record, current),
    fallback: [],
    ledger: record.ledger,
  });
  const own = recorded.find(({ host }) => host.name === view.host.name);
  if (!own) return undefined;
  if (!state) return 'unknown';
  if (state.pending !== undefined) return 'unconfirmed';
  return isNamed(state.now, own.set) ? 'as recorded' : 'differ';
}

/** What keeps secrets in memory is no container that somebody looks for, as long as it does. */
function keepsSecrets({ Labels, State }: ContainerSummary): boolean {
  return State === 'running' && isSecretPart(Labels[labels.part]);
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
