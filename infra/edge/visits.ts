import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import { edgeHosts, type EnvironmentHost } from '../../pipelines/model/target.ts';
import type { Visit } from './edge.ts';

/** Seconds until a visitor has to be served: a host that is busy for a moment is no reason to go back. */
export const visitTimeout = 5;

/**
 * Returns what visitors of a host can ask for: each public port, with the page of the role's health check where that is
 * asked for at the same port, and else no page at all.
 */
export function visitsOf(host: Pick<EnvironmentHost, 'name'>, serving: readonly PlacedContainer[]): Visit[] {
  return allVisits(serving.filter(({ host: target }) => edgeHosts(target).some(({ name }) => name === host.name)));
}

/** Returns the same for what spreads requests over all hosts. */
export function allVisits(serving: readonly PlacedContainer[]): Visit[] {
  const visits = new Map<number, Visit>();
  for (const { spec } of serving) {
    const { route, health } = spec;
    if (!route) continue;
    const { check } = health;
    const isPage = check.kind === 'http' && check.port === route.port;
    const page = isPage ? { path: check.path, ...(check.host === undefined ? {} : { host: check.host }) } : undefined;
    visits.set(route.publish, { port: route.publish, ...(page ? { page } : {}) });
  }
  return [...visits.values()];
}

/** Returns the same of ports of which nothing more is known: their edge answers by itself. */
export function bareVisits(ports: readonly string[]): Visit[] {
  return ports.map((port) => ({ port: Number(port) }));
}
