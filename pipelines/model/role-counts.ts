import type { Environment } from './environment.ts';
import { own } from './own.ts';

/** The numbers of containers by role: the one that an operator set, and the one that the configuration had then. */
export type Counts = Readonly<Record<string, { readonly count: number; readonly configured: number }>>;

/** Returns the numbers that apply now: new ones over earlier ones, unless the configuration has changed since. */
export function countsNow(
  environment: Environment,
  before: Counts = {},
  asked: Readonly<Record<string, number>> = {},
): Counts {
  const now: Record<string, Counts[string]> = {};
  for (const { name, count: configured } of environment.roles) {
    const set = own(before, name);
    const earlier = set?.configured === configured ? set.count : configured;
    const count = own(asked, name) ?? earlier;
    if (count !== configured) now[name] = { count, configured };
  }
  return now;
}

/** Returns the environment with those numbers in place of the configuration's. */
export function withCounts(environment: Environment, counts: Counts): Environment {
  const roles = environment.roles.map((role) => ({ ...role, count: own(counts, role.name)?.count ?? role.count }));
  return { ...environment, roles };
}

/** Returns notes for a plan: the roles whose number of containers is not the configuration's. */
export function countNotes(counts: Counts): string[] {
  return Object.entries(counts).map(
    ([role, { count, configured }]) => `${role} is scaled to ${count}; the configuration says ${configured}`,
  );
}
