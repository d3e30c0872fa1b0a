import type { PlacedContainer } from './desired-state.ts';
import type { Environment } from './environment.ts';
import type { EnvironmentRecord } from './ledger.ts';
import type { Cordon, Ledger, Revision } from './revision.ts';

/** Returns the environment without its cordoned hosts, and without the roles' places and the accessories on them. */
export function withoutCordoned(environment: Environment, ledger: Ledger): Environment {
  return withoutHosts(environment, cordoned(ledger));
}

/** Returns the environment with only the machines that exist, for operations that go back and make none. */
export function withoutPending(environment: Environment): Environment {
  return withoutHosts(
    environment,
    new Set(environment.hosts.filter(({ kind }) => kind === 'pending').map(({ name }) => name)),
  );
}

/** Returns the environment without one of its hosts. */
export function withoutHost(environment: Environment, name: string): Environment {
  return withoutHosts(environment, new Set([name]));
}

function withoutHosts(environment: Environment, away: ReadonlySet<string>): Environment {
  if (away.size === 0) return environment;
  return {
    ...environment,
    hosts: environment.hosts.filter(({ name }) => !away.has(name)),
    roles: environment.roles.map((role) => ({ ...role, hosts: role.hosts.filter((host) => !away.has(host)) })),
    accessories: environment.accessories.filter(({ host }) => !away.has(host)),
  };
}

/** Returns the names of an environment's hosts that are cordoned, in its order. */
export function cordonedHosts(environment: Environment, ledger: Ledger): string[] {
  const away = cordoned(ledger);
  return environment.hosts.map(({ name }) => name).filter((name) => away.has(name));
}

/** Returns the hosts that a revision made now does not reach. */
export function skippedHosts(ledger: Ledger): Pick<Revision, 'without'> {
  const hosts = (ledger.cordons ?? []).map(({ host }) => host);
  return hosts.length > 0 ? { without: hosts } : {};
}

/** Returns the containers on hosts that are not cordoned. */
export function onActiveHosts(ledger: Ledger, containers: readonly PlacedContainer[]): PlacedContainer[] {
  const away = cordoned(ledger);
  return containers.filter(({ host }) => !away.has(host.name));
}

/** Returns the containers on cordoned hosts: they stay recorded until their host is back. */
export function onCordonedHosts(record: EnvironmentRecord): PlacedContainer[] {
  const away = cordoned(record.ledger);
  return record.containers.filter(({ host }) => away.has(host.name));
}

/** Returns the ledger with that host back in service. */
export function withoutCordon(ledger: Ledger, host: string): Ledger {
  const { cordons = [], ...rest } = ledger;
  const others = cordons.filter((other) => other.host !== host);
  return { ...rest, ...(others.length > 0 ? { cordons: others } : {}) };
}

/** Returns the ledger with one more host cordoned; an earlier cordon of the same host is replaced. */
export function withCordon(ledger: Ledger, added: Cordon): Ledger {
  return { ...ledger, cordons: [...(withoutCordon(ledger, added.host).cordons ?? []), added] };
}

function cordoned(ledger: Ledger): ReadonlySet<string> {
  return new Set((ledger.cordons ?? []).map(({ host }) => host));
}
