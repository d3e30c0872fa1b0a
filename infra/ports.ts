import type { Environment, Host } from '../pipelines/environment.ts';

/** Public ports of an environment's roles on a host. */
export function publicPorts(environment: Environment, host: Host): number[] {
  const roles = environment.roles.filter((role) => role.hosts.includes(host.name) && role.route);
  return [...new Set(roles.map((role) => role.route?.publish ?? 0))].sort((a, b) => a - b);
}
