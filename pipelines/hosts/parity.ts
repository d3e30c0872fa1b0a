import { LockageError } from '../errors.ts';
import type { Environment } from '../model/environment.ts';
import { type Trait, type Traits, type HostTraits, traitNames } from '../model/host-traits.ts';

/** A trait that is not the same everywhere, and the hosts that have each value. */
export interface Difference {
  readonly trait: Trait;
  readonly values: readonly {
    readonly value: string;
    readonly environment: string;
    readonly hosts: readonly string[];
  }[];
}

/** Facts from an engine's answer about its version and, if it was asked, about itself. */
export interface EngineFacts {
  readonly architecture: string;
  readonly kernel: string | undefined;
  readonly engine: string;
  readonly os?: string | undefined;
  readonly storage?: string | undefined;
  readonly cgroup?: string | undefined;
}

/** Traits that need a request of their own; the others are in every engine's answer about its version. */
const costly: readonly Trait[] = ['os', 'storage', 'cgroup'];

/** Returns whether comparing hosts in these traits needs more from an engine than its version. */
export function needsInfo(wanted: readonly Trait[]): boolean {
  return wanted.some((trait) => costly.includes(trait));
}

/** Returns the traits in an engine's answer; an empty value counts as no answer. */
export function traitsOf(facts: EngineFacts): Traits {
  const { architecture, kernel, engine, os, storage, cgroup } = facts;
  const found: Record<Trait, string | undefined> = {
    architecture,
    // An engine adds this when it runs in a container; the distribution is the same.
    os: os?.replace(/ \(containerized\)$/, ''),
    'kernel.minor': minor(kernel),
    engine,
    'engine.minor': minor(engine),
    storage,
    cgroup,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined && value !== ''));
}

/** Shortens a version to its minor: `6.1.0-13-amd64` → `6.1` */
function minor(version: string | undefined): string | undefined {
  return /^\d+\.\d+/.exec(version ?? '')?.[0] ?? version;
}

/** Returns the traits in which hosts differ from each other. */
export function differencesAmong(hosts: readonly HostTraits[], wanted: readonly Trait[] = traitNames): Difference[] {
  const found = wanted.flatMap((trait) => {
    const values = groupByValue(hosts, trait);
    return values.length > 1 ? [{ trait, values }] : [];
  });
  return withoutImplied(found);
}

/**
 * Returns the traits in which hosts differ from those of an environment before them: values that no host there has. If
 * the hosts before differ from each other, a release has run on each kind of them, so either value is fine.
 */
export function differencesFrom(
  before: readonly HostTraits[],
  here: readonly HostTraits[],
  wanted: readonly Trait[] = traitNames,
): Difference[] {
  if (before.length === 0) return [];
  const found = wanted.flatMap((trait) => {
    const there = groupByValue(before, trait);
    const unseen = groupByValue(here, trait).filter(({ value }) => !there.some((group) => group.value === value));
    return unseen.length > 0 ? [{ trait, values: [...unseen, ...there] }] : [];
  });
  return withoutImplied(found);
}

/** Returns the traits of which not the same values are among the hosts of two environments. */
export function differencesBetween(a: readonly HostTraits[], b: readonly HostTraits[]): Difference[] {
  const found = traitNames.flatMap((trait) => {
    const [here, there] = [groupByValue(a, trait), groupByValue(b, trait)];
    const isSame = valuesOf(here) === valuesOf(there);
    return isSame ? [] : [{ trait, values: [...here, ...there] }];
  });
  return withoutImplied(found);
}

function valuesOf(groups: Difference['values']): string {
  return JSON.stringify(groups.map(({ value }) => value).sort());
}

/**
 * Refuses hosts that differ in the traits their environment requires to be the same: from each other, or from those of
 * each environment directly before it.
 */
export function checkParity(
  { name, same }: Pick<Environment, 'name' | 'same'>,
  here: readonly HostTraits[],
  before: readonly HostTraits[],
): void {
  const upstream = [...new Set(before.map(({ environment }) => environment))];
  const details = [
    ...differencesAmong(here, same).map((difference) => differenceText(difference, name)),
    ...upstream.flatMap((other) => {
      const there = before.filter(({ environment }) => environment === other);
      return differencesFrom(there, here, same).map((difference) => differenceText(difference, name));
    }),
  ];
  if (details.length === 0) return;
  throw new LockageError(`hosts differ in what has to be the same for ${name}`, {
    details,
    hint: `Make them alike (\`lockage host check ${name}\` shows all of it), or take it out of \`same\`.`,
  });
}

/** Writes a difference as seen from an environment: `engine.minor: 24.0 on prod-3; 20.10 on qa-1, qa-2 of qa` */
export function differenceText({ trait, values }: Difference, from: string): string {
  const parts = values.map(({ value, environment, hosts }) => {
    const place = environment === from ? '' : ` of ${environment}`;
    return `${value} on ${hosts.join(', ')}${place}`;
  });
  return `${trait}: ${parts.join('; ')}`;
}

/** Groups hosts by their value of a trait, the most common value first. */
function groupByValue(hosts: readonly HostTraits[], trait: Trait): Difference['values'][number][] {
  const found = new Map<string, { value: string; environment: string; hosts: string[] }>();
  for (const { environment, host, traits } of hosts) {
    const value = traits[trait] ?? 'unknown';
    const key = JSON.stringify([environment, value]);
    const group = found.get(key) ?? { value, environment, hosts: [] };
    group.hosts.push(host);
    found.set(key, group);
  }
  return [...found.values()].sort((a, b) => b.hosts.length - a.hosts.length);
}

/** Drops the difference in `engine` if there is one in `engine.minor`, which implies it. */
function withoutImplied(differences: readonly Difference[]): Difference[] {
  const minors = differences.some(({ trait }) => trait === 'engine.minor');
  return differences.filter(({ trait }) => !(minors && trait === 'engine'));
}
