import type { Placed } from './desired-state.ts';
import type { Environment } from './environment.ts';
import { LockageError } from '../errors.ts';
import { generationNow, isUnmade } from './machine-pool.ts';
import { nextNumber, type EnvironmentRecord } from './ledger.ts';
import type { Cordon, Ledger, Revision } from './revision.ts';

/** The environment with the hosts that are in service, and roles and accessories as far as they are on those. */
export function withoutCordoned(environment: Environment, ledger: Ledger): Environment {
  return without(environment, cordoned(ledger));
}

/** The environment with the machines that are there already, for what goes back and makes none. */
export function withoutUnmade(environment: Environment): Environment {
  return without(environment, new Set(environment.hosts.filter(isUnmade).map(({ name }) => name)));
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
function cordonedHosts(environment: Environment, ledger: Ledger): string[] {
  const away = cordoned(ledger);
  return environment.hosts.map(({ name }) => name).filter((name) => away.has(name));
}

/** The hosts that a revision made now does not reach. */
export function absent(ledger: Ledger): Pick<Revision, 'without'> {
  const hosts = (ledger.cordons ?? []).map(({ host }) => host);
  return hosts.length > 0 ? { without: hosts } : {};
}

/** What was prepared for some hosts must not be carried out on others. */
export function refuseOtherHosts(configured: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  const [before, after] = [seen, now].map(({ ledger }) =>
    [generationNow(configured.name, ledger, []), ...cordonedHosts(configured, ledger)].join(' '),
  );
  if (before === after) return;
  throw new LockageError(`the hosts of ${configured.name} that are in service have just changed: nothing was done`, {
    hint: `Look at \`lockage status --env ${configured.name}\`, then run the same command again.`,
  });
}

/** Whether another operation was recorded in between. Throws LockageError when what was decided before it is void. */
export function refuseChanged({ name }: Environment, seen: EnvironmentRecord, now: EnvironmentRecord): void {
  if (nextNumber(seen.ledger) === nextNumber(now.ledger)) return;
  throw new LockageError(`${name} was changed by somebody else meanwhile: nothing was done`, {
    hint: `Look at \`lockage history ${name}\`, then run the same command again.`,
  });
}

/** Those of the containers whose hosts are in service. */
export function inService(ledger: Ledger, containers: readonly Placed[]): Placed[] {
  const away = cordoned(ledger);
  return containers.filter(({ host }) => !away.has(host.name));
}

/** Containers on cordoned hosts: they stay recorded until their host is back. */
export function outOfReach(record: EnvironmentRecord): Placed[] {
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
