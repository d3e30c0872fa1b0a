import { onActiveHosts } from '../../pipelines/model/cordons.ts';
import type { DesiredState, PlacedContainer } from '../../pipelines/model/desired-state.ts';
import { edgeHosts, type EnvironmentHost, type Target } from '../../pipelines/model/target.ts';
import type { PortTarget, RouteSet } from './edge.ts';

/**
 * Returns what each host's edge sends where: the serving containers' aliases, with the earlier release to fall back
 * on. The edges of a swarm are on its managers, and all send to the same services. A cordoned host keeps what it has.
 */
export function hostRoutes(desired: Pick<DesiredState, 'serving' | 'fallback' | 'ledger'>): HostRoutes[] {
  const hosts = new Map<string, { host: Target; set: Record<string, PortTarget> }>();
  const serving = onActiveHosts(desired.ledger, desired.serving);
  for (const { host, spec } of serving) {
    const entry = hosts.get(host.name) ?? { host, set: {} };
    hosts.set(host.name, entry);
    if (!spec.route) continue;
    const { publish } = spec.route;
    const now = targetAt(serving, host, publish);
    const earlier = targetAt(desired.fallback, host, publish) ?? now;
    if (!now || !earlier) continue;
    entry.set[publish] = {
      ...{ primary: now.name, fallback: earlier.name },
      ...(now.among > 1 ? { among: now.among } : {}),
      ...(earlier.among > 1 ? { fallbackAmong: earlier.among } : {}),
    };
  }
  return [...hosts.values()].flatMap(({ host, set }) => edgeHosts(host).map((edge) => ({ host: edge, set })));
}

/**
 * Returns the routes of hosts that serve nothing of an environment any more, and keep what served there: none, as what is kept to go
 * back to answers nobody until then. They are not among those above: such a host is left alone until the others have switched for good.
 */
export function idleRoutes({
  serving,
  standby,
  ledger,
}: Pick<DesiredState, 'serving' | 'standby' | 'ledger'>): HostRoutes[] {
  const busy = new Set(serving.map(({ host }) => host.name));
  const idle = onActiveHosts(ledger, standby).filter(({ host, spec }) => spec.route && !busy.has(host.name));
  const targets = new Map(idle.map(({ host }) => [host.name, host]));
  return [...targets.values()].flatMap((host) => edgeHosts(host).map((edge) => ({ host: edge, set: {} })));
}

/** Returns the name that leads to the containers of a port, and how many there are: a swarm's service has them all. */
function targetAt(placed: readonly PlacedContainer[], host: Target, publish: number) {
  const found = placed.filter(({ host: other, spec }) => other.name === host.name && spec.route?.publish === publish);
  const [first] = found;
  if (!first?.spec.route) return undefined;
  const among = found.reduce((sum, { spec }) => sum + (spec.replicas ?? 1), 0);
  return { name: `${first.spec.alias}:${first.spec.route.port}`, among };
}

/** The routes of one host's edge, and the containers without traffic that run. */
export interface HostRoutes {
  readonly host: EnvironmentHost;
  readonly set: RouteSet;
}
