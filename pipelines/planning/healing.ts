import type { Drift, HostDrift } from '../inspection/drift.ts';
import type { PlacedContainer } from '../model/desired-state.ts';
import type { Environment } from '../model/environment.ts';
import type { HostReport } from '../model/host-report.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNames, isMigration } from '../model/names.ts';
import { schedulesReplicas, type Target } from '../model/target.ts';

/**
 * The way in which something that drifted is healed. `replace`: a container or service of a release gives way to a new
 * one. `renew`: an edge, an accessory or a network is made again. `switch`: the routes are set again. `remove`: nobody
 * recorded it, and it goes.
 */
export type Treatment = 'replace' | 'renew' | 'switch' | 'remove';

/** Something on a host that drifted, and is healed. */
export interface Treated {
  readonly host: Target;
  /** name of the container, service, network or host */
  readonly what: string;
  readonly by: Treatment;
  readonly drift: readonly Drift[];
}

/** Drift that Lockage must not or cannot heal, and what a person can do. */
export interface Untreated {
  readonly host: Target;
  readonly drift: Drift;
  readonly remedy: string;
}

/** All that is done about the drift of an environment, and all that is not. */
export interface Healing {
  readonly treated: readonly Treated[];
  readonly left: readonly Untreated[];
  /** names of hosts on which nothing is known to be wrong but that public ports do not answer */
  readonly hidden: readonly string[];
}

/** What drift is judged by. */
export interface HealingInputs {
  readonly app: string;
  readonly environment: Environment;
  readonly record: Pick<EnvironmentRecord, 'containers'>;
}

/** Returns what is done about what has drifted. */
export function planHealing(inputs: HealingInputs, hosts: readonly HostDrift[]): Healing {
  const found = hosts.flatMap((each) =>
    'drift' in each ? each.drift.map((drift) => ({ host: each.host, drift })) : [],
  );
  const theirs = new Set(found.filter(({ drift }) => drift.member === ownerMember).map(keyOf));
  const judged = found
    .map((each) => withPart(inputs, each))
    .map((each) => ({ ...each, ...judge(inputs, each, theirs.has(keyOf(each))) }));
  const others = judged.filter(({ by, drift }) => by !== undefined && drift.member !== 'port');
  const explains = (port: Found) => others.some(({ host }) => host.name === port.host.name || schedulesReplicas(host));
  const hidden = judged.filter((each) => each.drift.member === 'port' && !explains(each));
  const settled = judged.map((each) =>
    each.drift.member === 'port' && explains(each) ? { ...each, by: 'switch' as const } : each,
  );
  return {
    treated: grouped(settled),
    left: settled.flatMap(({ host, drift, by, remedy }) => (by === undefined ? [{ host, drift, remedy }] : [])),
    hidden: [...new Set(hidden.map(({ host }) => host.name))],
  };
}

interface Found {
  readonly host: Target;
  readonly drift: Drift;
}

/** What shows that a container of a recorded name was not made by Lockage. */
const ownerMember = 'Config.Labels.lockage.app';

function keyOf({ host, drift }: Found): string {
  return `${host.name} ${drift.what}`;
}

interface Judgement {
  /** absent: a person has to do something */
  readonly by?: Treatment;
  readonly remedy: string;
}

/** What a host has lost of somebody's secrets is drift of that container. */
function withPart({ app, environment, record }: HealingInputs, { host, drift }: Found): Found {
  if (drift.what !== host.name) return { host, drift };
  const { network } = environmentNames(app, environment.name);
  const accessories = environment.accessories.map(({ name }) => `${network}-${name}`);
  const releases = record.containers.filter((placed) => placed.host.name === host.name).map(({ spec }) => spec.name);
  const what = [...releases, ...accessories].find((name) => drift.actual.startsWith(`${name}.`));
  return { host, drift: what === undefined ? drift : { ...drift, what } };
}

function grouped(all: readonly (Found & Judgement)[]): Treated[] {
  const parts = new Map<string, Treated>();
  for (const { host, drift, by } of all) {
    if (by === undefined) continue;
    const key = `${host.name} ${by} ${drift.what}`;
    const before = parts.get(key)?.drift ?? [];
    parts.set(key, { host, what: drift.what, by, drift: [...before, drift] });
  }
  return [...parts.values()];
}

function judge({ app, environment, record }: HealingInputs, { host, drift }: Found, isTheirs: boolean): Judgement {
  const { edge, network } = environmentNames(app, environment.name);
  const { what } = drift;
  if (isTheirs) return { remedy: `It is somebody else's: \`docker rm --force ${what}\` on ${host.name} removes it.` };
  if (record.containers.some((placed) => placed.host.name === host.name && placed.spec.name === what))
    return { by: 'replace', remedy: '' };
  if (what === edge) return ofEdge(drift, environment, host);
  const accessories = environment.accessories.filter((accessory) => accessory.host === host.name);
  if (accessories.some(({ name }) => what === `${network}-${name}`)) return { by: 'renew', remedy: '' };
  if (what === network) return ofNetwork(drift, host);
  // It may hold what somebody is looking for.
  if (drift.member === 'volume') return { remedy: `Run \`lockage prune ${environment.name}\`, which removes it.` };
  if (what === host.name) return { remedy: ofHost(host) };
  if (isUnknown(drift) && isMigration(app, environment.name, what) && mayWork(drift)) return ofMigration(drift, host);
  return isUnknown(drift) ? ofUnknown(drift, host) : ofStranger(drift, { host, network });
}

function ofEdge({ member }: Drift, environment: Environment, host: Target): Judgement {
  if (member === 'routes') return { by: 'switch', remedy: '' };
  if (member === 'fence')
    return { remedy: `Run \`lockage adopt ${environment.name}\`: its hosts know a later revision.` };
  const remedy = `Look at the firewall rules of ${host.name}, and restart its Docker Engine, which makes its own again.`;
  return { by: 'renew', remedy };
}

function ofNetwork({ member, what }: Drift, host: Target): Judgement {
  if (member === 'network') return { by: 'renew', remedy: '' };
  return {
    remedy: `Find out on ${host.name} who made ${what}: remove it there, or give this environment another name.`,
  };
}

function ofHost(host: Target): string {
  return schedulesReplicas(host)
    ? 'Bring that node back, or remove it with `docker node rm`.'
    : `Look at it on ${host.name}.`;
}

function isUnknown({ member, expected }: Drift): boolean {
  return (member === 'container' || member === 'service') && expected === 'none of that name';
}

function mayWork({ actual }: Drift): boolean {
  return /^release, (running|paused)$/.test(actual);
}

/** Its operator is gone. Ended half-way, it would leave data that no release is written for. */
function ofMigration({ what }: Drift, host: Target): Judgement {
  return { remedy: `It is a migration at work: wait until it has ended, or \`docker stop ${what}\` on ${host.name}.` };
}

function ofUnknown({ what, member, actual }: Drift, host: Target): Judgement {
  if (actual.startsWith('release')) return { by: 'remove', remedy: '' };
  // What a command that was killed left beside an edge or accessory has a dot in its name.
  if (/\.(new|old)$/.test(what)) return { by: 'renew', remedy: '' };
  return { remedy: `Find out whose ${member} ${what} is; \`docker rm --force ${what}\` on ${host.name} removes it.` };
}

function ofStranger(
  { what }: Drift,
  { host, network }: { readonly host: Target; readonly network: string },
): Judgement {
  return { remedy: `Take it off on ${host.name}: \`docker network disconnect ${network} ${what}\`.` };
}

/** Returns reports of hosts in which what drifted does not count as there: new containers take other names then. */
export function reportsWithout<T extends HostReport>(reports: readonly T[], { treated }: Healing): T[] {
  return reports.map((report) => {
    const replaced = treated.filter(({ by, host }) => by === 'replace' && host.name === report.host.name);
    const drifted = new Set(replaced.map(({ what }) => what));
    const without = (names: ReadonlySet<string>) => new Set([...names].filter((name) => !drifted.has(name)));
    return { ...report, running: without(report.running), present: without(report.present) };
  });
}

/** Returns those of containers that have drifted. */
export function driftedAmong<T extends PlacedContainer>(containers: readonly T[], { treated }: Healing): T[] {
  return containers.filter(({ host, spec }) =>
    treated.some((each) => each.by === 'replace' && each.host.name === host.name && each.what === spec.name),
  );
}

const words: Readonly<Record<Treatment, string>> = {
  replace: 'is replaced',
  renew: 'is made again',
  switch: 'is set again',
  remove: 'goes',
};

/** Returns what is done and what is not, one line each, for people to read before they confirm. */
export function healingNotes({ treated, left }: Healing): string[] {
  return [
    ...treated.map(({ host, what, by, drift }) => {
      const members = [...new Set(drift.map(({ member }) => member))].join(', ');
      return `${host.name}: ${what} ${words[by]} (${members})`;
    }),
    ...left.map(({ host, drift, remedy }) => `${host.name}: ${drift.what} stays (${drift.member}). ${remedy}`),
  ];
}
