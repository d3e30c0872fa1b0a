import { onActiveHosts } from '../model/cordons.ts';
import { samePlace, type DesiredState, type PlacedContainer, type StopFirst } from '../model/desired-state.ts';
import type { HostReport } from '../model/host-report.ts';
import { goodRevisions, type EnvironmentRecord } from '../model/ledger.ts';
import { own } from '../model/own.ts';
import type { Ledger } from '../model/revision.ts';

/** What serves next and what serves now. */
interface Change {
  readonly serving: readonly PlacedContainer[];
  readonly servingBefore: readonly PlacedContainer[];
  readonly reports: readonly HostReport[];
}

/**
 * Returns what has to end before what may start, of the roles of which two at once are wrong: by what comes, or by what goes,
 * as each may be the one that cannot bear the other. Undefined where nothing of them changes.
 */
export function stopFirstOf({ serving, servingBefore, reports }: Change): StopFirst | undefined {
  const asked = [...serving, ...servingBefore].filter(({ spec }) => spec.replace === 'stop-first');
  const coming = new Set(serving.map(({ spec }) => spec.role));
  const roles = [...new Set(asked.map(({ spec }) => spec.role))].filter((role) => coming.has(role)).sort();
  const isOf = ({ spec }: PlacedContainer) => roles.includes(spec.role);
  // What is new starts as well where it runs already, as an operation that was killed leaves it: one that fails is stopped.
  const isNew = (placed: PlacedContainer) => !runs(reports, placed) || !has(servingBefore, placed);
  const start = serving.filter((placed) => isOf(placed) && isNew(placed));
  const before = servingBefore.filter((placed) => isOf(placed) && !has(serving, placed));
  return start.length === 0 && before.length === 0 ? undefined : { roles, start, before };
}

function runs(reports: readonly HostReport[], { host, spec }: PlacedContainer): boolean {
  return reports.some((report) => report.host.name === host.name && report.running.has(spec.name));
}

function has(list: readonly PlacedContainer[], placed: PlacedContainer): boolean {
  return list.some((other) => samePlace(other, placed));
}

/** Returns those of the containers that run until the switch: a request cannot fall back on one that was stopped. */
export function fallbackOf(
  servingBefore: readonly PlacedContainer[],
  change: StopFirst | undefined,
): PlacedContainer[] {
  return servingBefore.filter((placed) => !change || !has(change.before, placed));
}

/**
 * Returns the standby without what cannot be kept: a container with traffic that was made to run beside others, and that its
 * role's containers of today must not meet. Going back to it makes it again.
 */
export function keepable(standby: readonly PlacedContainer[], serving: readonly PlacedContainer[]): PlacedContainer[] {
  const alone = rolesAlone(serving);
  return standby.filter(({ spec }) => !spec.route || spec.replace !== undefined || !alone.has(spec.role));
}

/**
 * Returns what must have ended before such a container starts: all that is recorded of its role elsewhere, also what an
 * operation that was killed has left.
 */
export function endingFirst(
  { ledger, containers }: Pick<EnvironmentRecord, 'ledger' | 'containers'>,
  serving: readonly PlacedContainer[],
): PlacedContainer[] {
  const all = onActiveHosts(ledger, containers);
  const alone = rolesAlone(all, serving);
  return all.filter((placed) => alone.has(placed.spec.role) && !has(serving, placed));
}

/** Returns the roles of which two at once are wrong, by one of these containers or by another. */
export function rolesAlone(...lists: readonly (readonly PlacedContainer[])[]): ReadonlySet<string> {
  return new Set(lists.flat().flatMap(({ spec }) => (spec.replace ? [spec.role] : [])));
}

/** Returns what it costs that one ends before the next one starts, a line for each role; nothing where none ran before. */
export function stopFirstNotes(change: DesiredState['stopFirst'], ledger: Ledger): string[] {
  if (!change) return [];
  return change.roles.flatMap((role) => {
    const before = change.before.filter(({ spec }) => spec.role === role);
    const next = change.start.find(({ spec }) => spec.role === role)?.spec;
    if (before.length === 0 || !next) return [];
    const stops = Math.max(...before.map(({ spec }) => spec.stopGrace));
    const most = `at most ${seconds(stops + next.health.timeout)}: ${seconds(stops)} to stop, ${seconds(next.health.timeout)} until healthy`;
    const last = goodRevisions(ledger).findLast(({ gaps }) => own(gaps, role) !== undefined);
    const time = last ? `about ${seconds(own(last.gaps, role) ?? 0)} as at revision ${last.number}, ${most}` : most;
    const visitors = next.route ? `; visitors of port ${next.route.publish} wait, or get 502, meanwhile` : '';
    return [`${role} is stopped before the next one starts: nobody does its work for a while (${time})${visitors}`];
  });
}

function seconds(milliseconds: number): string {
  return `${Number((milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0))} s`;
}
