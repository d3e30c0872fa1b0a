import type { PlacedContainer } from '../model/desired-state.ts';
import { knownRevision, lastNumber } from '../model/fence.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import type { Digest, Release } from '../model/release.ts';
import type { Target } from '../model/target.ts';
import type { HostView } from './observation.ts';

/** Something of an environment that is not as it is recorded. */
export interface Drift {
  /** name of the container, service, network or host */
  readonly what: string;
  /** what of it: `state`, `files`, `HostConfig.Memory` … */
  readonly member: string;
  readonly expected: string;
  readonly actual: string;
  /** ISO 8601; absent where the host does not tell */
  readonly since?: string;
}

/** What a host or swarm has that is not as it is recorded, or why it did not tell. */
export type HostDrift =
  { readonly host: Target; readonly drift: readonly Drift[] } | { readonly host: Target; readonly error: string };

/** How much of what is recorded is true: all of it, not all, or nobody knows, as a host does not tell. */
export type Drifted = 'none' | 'some' | 'unknown';

/**
 * Returns the same without what is missing of `surplus`, or has ended: a command that was cut short was about to remove it, and
 * nothing needs it any more.
 */
export function withoutRemoved(found: HostDrift, surplus: readonly PlacedContainer[]): HostDrift {
  if (!('drift' in found)) return found;
  const names = new Set(surplus.filter(({ host }) => host.name === found.host.name).map(({ spec }) => spec.name));
  const isRemoved = ({ what, member, actual }: Drift) =>
    names.has(what) && (member === 'state' || (['container', 'service'].includes(member) && actual === 'missing'));
  return { ...found, drift: found.drift.filter((each) => !isRemoved(each)) };
}

/** Returns whether anything has drifted. */
export function driftedOf(hosts: readonly HostDrift[]): Drifted {
  if (hosts.some((each) => 'drift' in each && each.drift.length > 0)) return 'some';
  return hosts.some((each) => 'error' in each) ? 'unknown' : 'none';
}

/** Returns that a version's tag leads to another image than it was released as; an image from elsewhere may move its tag. */
export function tagDrift({ version, digest, repository, adopted }: Release, tagged: Digest | undefined): Drift[] {
  if (adopted || tagged === undefined || tagged === digest) return [];
  return [{ what: `${repository}:${version}`, member: 'tag', expected: digest, actual: tagged }];
}

/** Returns what is not as recorded of the way that visitors come in, by what a host's edge says and answers. */
export function trafficDrift(edge: string, { ledger }: Pick<EnvironmentRecord, 'ledger'>, view: HostView): Drift[] {
  const known = lastNumber(ledger);
  const fence = view.fence && knownRevision(view.fence);
  return [
    ...routeDrift(edge, view),
    ...(view.edge?.silent ?? []).map((actual) => ({
      what: edge,
      member: 'port',
      expected: 'answers visitors',
      actual,
    })),
    ...(view.edge?.guarded === false
      ? [{ what: edge, member: 'guard', expected: 'lives', actual: 'ended: nobody takes an unconfirmed switch back' }]
      : []),
    ...(view.edge?.problem === undefined
      ? []
      : [{ what: edge, member: 'state', expected: 'says what it serves', actual: view.edge.problem }]),
    ...(fence !== undefined && fence > known
      ? [{ what: edge, member: 'fence', expected: `revision ${known}`, actual: `revision ${fence}` }]
      : []),
    ...(view.faults ?? []).map((actual) => ({ what: view.host.name, member: 'host', expected: 'as it was', actual })),
  ];
}

function routeDrift(what: string, { routes }: HostView): Drift[] {
  if (routes === 'differ')
    return [{ what, member: 'routes', expected: 'as recorded', actual: 'traffic goes elsewhere' }];
  if (routes !== 'unconfirmed') return [];
  return [{ what, member: 'routes', expected: 'confirmed', actual: 'a switch that nobody has confirmed' }];
}
