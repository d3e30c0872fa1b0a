import type { PlacedContainer } from '../../pipelines/model/desired-state.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { own } from '../../pipelines/model/own.ts';
import { edgeHosts, type EnvironmentHost } from '../../pipelines/model/target.ts';

/**
 * Returns where requests to one of an environment's own machines come from: the computer, by its first address on
 * their network.
 */
export function trustedProxy(environment: Environment, { address }: EnvironmentHost): string | undefined {
  const subnet = /^(\d+\.\d+\.\d+)\.\d+$/.exec(address)?.[1];
  return environment.machines && subnet !== undefined ? `${subnet}.1` : undefined;
}

/** Returns the public ports of an environment's roles on a host; each manager of a swarm has them all. */
export function publishedPorts(environment: Environment, host: EnvironmentHost): number[] {
  const isOn = (hosts: readonly string[]) => environment.orchestrator !== undefined || hosts.includes(host.name);
  const roles = environment.roles.filter((role) => role.route && isOn(role.hosts));
  return [...new Set(roles.map((role) => role.route?.publish ?? 0))].sort((a, b) => a - b);
}

/** Host name → its public ports. */
export type HostPorts = Readonly<Record<string, readonly number[]>>;

/**
 * Returns the public ports of an environment's hosts: those that are configured, and those of containers that are there and
 * serve, or are kept for a rollback. A port that is configured no more stays as long as something may be served there.
 */
export function openPorts(
  environment: Environment,
  placed: readonly PlacedContainer[],
  besides: HostPorts = {},
): HostPorts {
  const portsOf = (host: EnvironmentHost) => [
    ...publishedPorts(environment, host),
    ...placed.flatMap(({ host: target, spec: { route } }) =>
      route && edgeHosts(target).some(({ name }) => name === host.name) ? [route.publish] : [],
    ),
    ...(own(besides, host.name) ?? []),
  ];
  return Object.fromEntries(
    environment.hosts.map((host) => [host.name, [...new Set(portsOf(host))].sort((a, b) => a - b)]),
  );
}
