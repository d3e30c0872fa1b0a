import type { ContainerSpec } from './container-spec.ts';
import type { Environment } from './environment.ts';
import { currentRevision } from './ledger.ts';
import type { Ledger, Revision } from './revision.ts';
import { fingerprint } from './fingerprint.ts';
import { pending, type EnvironmentHost } from './target.ts';

/**
 * An environment's machines are replaced all at once, by others beside them: `prod-1`, `prod-2` by `prod-1b`, `prod-2b`,
 * and those by `prod-1`, `prod-2` again. All of a generation are of one image.
 */
export type MachinePool = 'blue' | 'green';

export function otherPool(pool: MachinePool): MachinePool {
  return pool === 'blue' ? 'green' : 'blue';
}

/** The generation that serves; of an environment where nothing does, that of the machines that were made for it. */
export function currentPool(environment: string, ledger: Ledger, made: readonly string[]): MachinePool {
  const serving = currentRevision(ledger)?.containers.map(({ host }) => host) ?? made;
  return serving.some((host) => host === nameIn('green', environment, host)) ? 'green' : 'blue';
}

/** Whether a host's name is one of that generation. */
export function isInPool(pool: MachinePool, environment: string, host: string): boolean {
  return host === nameIn(pool, environment, host);
}

/** The number of a machine in its generation, from 1. */
export function numberOf(environment: string, host: string): number {
  return Number(numbered(environment, host) ?? 0);
}

/** The environment with its own machines by their names in that generation. */
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

/** The ledger as if all of it had run on the machines of that generation: what can be put back there. */
export function ledgerInPool(pool: MachinePool, environment: string, ledger: Ledger): Ledger {
  const rename = (host: string) => nameIn(pool, environment, host);
  const moved = (revision: Revision): Revision => ({
    ...revision,
    containers: revision.containers.map((spec) => onHost(spec, rename(spec.host))),
    ...(revision.without ? { without: revision.without.map(rename) } : {}),
  });
  return { ...ledger, revisions: ledger.revisions.map(moved) };
}

/** The same container on another host. Its name follows from its content, which says the host. */
function onHost(spec: ContainerSpec, host: string): ContainerSpec {
  if (spec.host === host) return spec;
  const base = spec.alias.slice(0, spec.alias.lastIndexOf('-'));
  const alias = `${base}-${fingerprint({ alias: spec.alias, host })}`;
  const name = `${alias}${spec.name.slice(spec.alias.length)}`;
  return { ...spec, name, alias, host, env: { ...spec.env, LOCKAGE_HOST: host } };
}

/** A name that is not one of the environment's machines stays as it is. */
function nameIn(pool: MachinePool, environment: string, host: string): string {
  const number = numbered(environment, host);
  return number === undefined ? host : `${environment}-${number}${pool === 'blue' ? '' : 'b'}`;
}

function numbered(environment: string, host: string): string | undefined {
  if (!host.startsWith(`${environment}-`)) return undefined;
  return /^(\d+)b?$/.exec(host.slice(environment.length + 1))?.[1];
}
