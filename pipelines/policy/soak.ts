import { ledgerLength, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { Revision } from '../model/revision.ts';

/**
 * Milliseconds by which clocks may differ where times of several machines are compared. A recorded time may be as much later
 * than it was, as what a command does before it decides counts twice in it.
 */
export const clockTolerance = 300_000;

/** How long a release served in an environment, and nothing was noted against it. */
export interface Service {
  /** milliseconds of the longest time without an interruption */
  readonly longest: number;
  /** milliseconds since 1970: since when it serves and is counted; absent: it does not serve, or is not counted now */
  readonly since?: number;
  /** it serves, and the environment is on hold: that is not counted */
  readonly held?: true;
  /** milliseconds since 1970: a recorded time that is much later than `now`, which makes all of them doubtful */
  readonly future?: number;
}

interface Run {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns for how long a release served well, from recorded times alone: from the record of the revision that brought it to
 * the begin of the next change. A rollback away from it, and a repair, end what was counted before, as something was wrong
 * then. `now` in milliseconds since 1970.
 */
export function serviceOf({ ledger }: EnvironmentRecord, { digest }: Release, now: number): Service {
  let runs: Run[] = [];
  let since: number | undefined;
  let last: Revision | undefined;
  // Whoever recorded it with a clock that was behind does not make it older than what was recorded before.
  let latest = Number.NEGATIVE_INFINITY;
  for (const revision of ledger.revisions.filter(({ result }) => result === 'succeeded')) {
    const isThat = revision.release.digest === digest;
    if (since !== undefined && !(isThat && goesOn(revision))) {
      const to = Date.parse(revision.startedAt);
      const counts = !isAgainst(revision, isThat) && !isForgotten(ledger.revisions, last);
      runs = counts ? [...runs, { from: since, to }] : [];
      since = undefined;
    }
    latest = later(latest, recordedAt(revision));
    if (isThat) {
      since ??= latest;
      last = revision;
    }
    if (revision.ended === undefined) continue;
    const ended = Date.parse(revision.ended);
    latest = later(latest, ended);
    if (since !== undefined) runs = [...runs, { from: since, to: ended }];
    since = undefined;
  }
  return counted({ runs, ...(since === undefined ? {} : { since }) }, ledger, { now, latest });
}

function counted(
  { runs, since }: { readonly runs: readonly Run[]; readonly since?: number },
  { hold, resumed }: EnvironmentRecord['ledger'],
  { now, latest }: { readonly now: number; readonly latest: number },
): Service {
  const before = Math.max(0, ...runs.map(({ from, to }) => to - from));
  const lifted = resumed === undefined ? Number.NEGATIVE_INFINITY : Date.parse(resumed);
  const known = later(latest, lifted);
  const doubt = known > now + clockTolerance ? { future: known } : {};
  if (since === undefined) return { longest: before, ...doubt };
  if (hold) return { longest: before, held: true, ...doubt };
  const from = later(since, lifted);
  return { longest: Math.max(before, now - from), since: from, ...doubt };
}

/** Other numbers of containers, and other machines, are made while it serves. */
function goesOn({ kind }: Revision): boolean {
  return kind === 'scale' || kind === 'image';
}

function isAgainst({ kind }: Revision, isThat: boolean): boolean {
  return kind === 'rollback' || (kind === 'repair' && isThat);
}

/** Returns whether what followed a revision may be in the record no more: nobody knows how long it served then. */
function isForgotten(revisions: readonly Revision[], revision: Revision | undefined): boolean {
  if (!revision || revisions.length < ledgerLength) return false;
  const next = revisions[revisions.indexOf(revision) + 1];
  return next !== undefined && next.number > revision.number + 1;
}

/** Returns when a revision was recorded. A time that cannot be read never comes. */
function recordedAt({ startedAt, duration }: Revision): number {
  return Date.parse(startedAt) + duration;
}

/** A time that cannot be read counts as the latest there is. */
function later(a: number, b: number): number {
  return Number.isNaN(a) || Number.isNaN(b) ? Number.POSITIVE_INFINITY : Math.max(a, b);
}
