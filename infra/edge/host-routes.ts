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
  for (const { host, spec } of onActiveHosts(desired.ledger, desired.serving)) {
    const entry = hosts.get(host.name) ?? { host, set: {} };
    hosts.set(host.name, entry);
    if (!spec.route) continue;
    const primary = `${spec.alias}:${spec.route.port}`;
    entry.set[spec.route.publish] = {
      primary,
      fallback: before(desired.fallback, host, spec.route.publish) ?? primary,
    };
  }
  return [...hosts.values()].flatMap(({ host, set }) => edgeHosts(host).map((edge) => ({ host: edge, set })));
}

function before(fallback: readonly PlacedContainer[], host: Target, publish: number): string | undefined {
  const found = fallback.find(({ host: other, spec }) => other.name === host.name && spec.route?.publish === publish);
  return found?.spec.route ? `${found.spec.alias}:${found.spec.route.port}` : undefined;
}

/** The routes of one host's edge, and the containers without traffic that run. */
export interface HostRoutes {
  readonly host: EnvironmentHost;
  readonly set: RouteSet;
}
