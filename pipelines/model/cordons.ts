import type { PlacedContainer } from './desired-state.ts';
import type { Environment } from './environment.ts';
import type { EnvironmentRecord } from './ledger.ts';
import type { Cordon, Ledger, Revision } from './revision.ts';

/** The environment with the hosts that are in service, and roles and accessories as far as they are on those. */
export function withoutCordoned(environment: Environment, ledger: Ledger): Environment {
  return without(environment, cordoned(ledger));
}

/** The environment with the machines that are there already, for what goes back and makes none. */
export function withoutPending(environment: Environment): Environment {
  return without(
    environment,
    new Set(environment.hosts.filter(({ kind }) => kind === 'pending').map(({ name }) => name)),
  );
}

function without(environment: Environment, away: ReadonlySet<string>): Environment {
  if (away.size === 0) return environment;
  return {
    ...environment,
    hosts: environment.hosts.filter(({ name }) => !away.has(name)),
    roles: environment.roles.map((role) => ({ ...role, hosts: role.hosts.filter((host) => !away.has(host)) })),
    accessories: environment.accessories.filter(({ host }) => !away.has(host)),
  };
}

/** Names of an environment's hosts that are cordoned, in its order. */
export function cordonedHosts(environment: Environment, ledger: Ledger): string[] {
  const away = cordoned(ledger);
  return environment.hosts.map(({ name }) => name).filter((name) => away.has(name));
}

/** The hosts that a revision made now does not reach. */
export function skippedHosts(ledger: Ledger): Pick<Revision, 'without'> {
  const hosts = (ledger.cordons ?? []).map(({ host }) => host);
  return hosts.length > 0 ? { without: hosts } : {};
}

/** Those of the containers whose hosts are in service. */
export function onActiveHosts(ledger: Ledger, containers: readonly PlacedContainer[]): PlacedContainer[] {
  const away = cordoned(ledger);
  return containers.filter(({ host }) => !away.has(host.name));
}

/** Containers on cordoned hosts: they stay recorded until their host is back. */
export function onCordonedHosts(record: EnvironmentRecord): PlacedContainer[] {
  const away = cordoned(record.ledger);
  return record.containers.filter(({ host }) => away.has(host.name));
}

/** The ledger with that host back in service. */
export function withoutCordon(ledger: Ledger, host: string): Ledger {
  const { cordons = [], ...rest } = ledger;
  const others = cordons.filter((other) => other.host !== host);
  return { ...rest, ...(others.length > 0 ? { cordons: others } : {}) };
}

/** The ledger with one host more cordoned; one of the same host is replaced. */
export function withCordon(ledger: Ledger, added: Cordon): Ledger {
  return { ...ledger, cordons: [...(withoutCordon(ledger, added.host).cordons ?? []), added] };
}

function cordoned(ledger: Ledger): ReadonlySet<string> {
  return new Set((ledger.cordons ?? []).map(({ host }) => host));
}
