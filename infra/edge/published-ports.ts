import type { Environment } from '../../pipelines/model/environment.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';

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
