import type { ContainerSpec } from './container-spec.ts';
import type { Environment } from './environment.ts';
import { fingerprint } from './fingerprint.ts';
import { currentRevision } from './ledger.ts';
import type { Ledger, Revision } from './revision.ts';
import { pending, type EnvironmentHost } from './target.ts';

/**
 * A pool of an environment's machines, of two. They are replaced all at once, by others beside them: `prod-1`,
 * `prod-2` by `prod-1b`, `prod-2b`, and those by `prod-1`, `prod-2` again. All machines of a pool are made from one
 * image.
 */
export type MachinePool = 'blue' | 'green';

/** Returns the other one of the two pools. */
export function otherPool(pool: MachinePool): MachinePool {
  return pool === 'blue' ? 'green' : 'blue';
}

/** Returns the pool that serves; if nothing serves, the pool of the machines that were made for the environment. */
export function currentPool(environment: string, ledger: Ledger, made: readonly string[]): MachinePool {
  const serving = currentRevision(ledger)?.containers.map(({ host }) => host) ?? made;
  return serving.some((host) => host === nameIn('green', environment, host)) ? 'green' : 'blue';
}

/** Returns whether a host's name belongs to that pool. */
export function isInPool(pool: MachinePool, environment: string, host: string): boolean {
  return host === nameIn(pool, environment, host);
}

/** Returns the number of a machine in its pool, from 1. */
export function numberOf(environment: string, host: string): number {
  return Number(numbered(environment, host) ?? 0);
}

/** Returns the environment with the names that its own machines have in that pool. */
export function inPool(environment: Environment, pool: MachinePool): Environment {
  if (!environment.machines) return environment;
  const rename = (host: string) => nameIn(pool, environment.name, host);
  const renamed = (host: EnvironmentHost): EnvironmentHost =>
    rename(host.name) === host.name ? host : pending(rename(host.name));
  return {
    ...environment,
    hosts: environment.hosts.map(renamed),
    roles: environment.roles.map((role) => ({ ...role, hosts: role.hosts.map(rename) })),
    accessories: environment.accessories.map((accessory) => ({ ...accessory, host: rename(accessory.host) })),
  };
}

/** Returns the ledger as if all of it had run on the machines of that pool: what can be put back there. */
export function ledgerInPool(pool: MachinePool, environment: string, ledger: Ledger): Ledger {
  const rename = (host: string) => nameIn(pool, environment, host);
  const moved = (revision: Revision): Revision => ({
    ...revision,
    containers: revision.containers.map((spec) => onHost(spec, rename(spec.host))),
    ...(revision.without ? { without: revision.without.map(rename) } : {}),
  });
  return { ...ledger, revisions: ledger.revisions.map(moved) };
}

/** Returns the same container on another host. Its name follows from its content, which includes the host. */
function onHost(spec: ContainerSpec, host: string): ContainerSpec {
  if (spec.host === host) return spec;
  const base = spec.alias.slice(0, spec.alias.lastIndexOf('-'));
  const alias = `${base}-${fingerprint({ alias: spec.alias, host })}`;
  const name = `${alias}${spec.name.slice(spec.alias.length)}`;
  return { ...spec, name, alias, host, env: { ...spec.env, LOCKAGE_HOST: host } };
}

/** Returns the name in that pool; a name that is not one of the environment's machines stays as it is. */
function nameIn(pool: MachinePool, environment: string, host: string): string {
  const number = numbered(environment, host);
  return number === undefined ? host : `${environment}-${number}${pool === 'blue' ? '' : 'b'}`;
}

function numbered(environment: string, host: string): string | undefined {
  if (!host.startsWith(`${environment}-`)) return undefined;
  return /^(\d+)b?$/.exec(host.slice(environment.length + 1))?.[1];
}
