import type { Environment, Host } from '../pipelines/environment.ts';

/** Public ports of an environment's roles on a host; each manager of a swarm has them all. */
export function publicPorts(environment: Environment, host: Host): number[] {
  const isOn = (hosts: readonly string[]) => environment.swarm !== undefined || hosts.includes(host.name);
  const roles = environment.roles.filter((role) => role.route && isOn(role.hosts));
  return [...new Set(roles.map((role) => role.route?.publish ?? 0))].sort((a, b) => a - b);
}
