/** What a soak has done and seen, as its report has it. */

/** Something that was not as it has to be. */
export interface Wrong {
  readonly text: string;
  /** the kind of thing that is gone, where something is */
  readonly lost?: Lost;
}

/** What can be lost. */
export const lostKinds = ['containers', 'volumes', 'secrets', 'records'] as const;
/** Something that can be lost. */
export type Lost = (typeof lostKinds)[number];

/** An operation or fault that was played, with all that belonged to it. */
export interface Step {
  readonly number: number;
  readonly name: string;
  readonly kind: 'operation' | 'fault';
  /** ms since 1970 */
  readonly at: number;
  readonly ms: number;
  readonly wrong: readonly Wrong[];
}

/** A command that was run. */
export interface Call {
  /** the command without its arguments: `rollback --drill` */
  readonly name: string;
  /** absent: ended by a signal */
  readonly code?: number;
  readonly ms: number;
}

/** Requests of one host that failed in one way within a moment. */
export interface Failure {
  /** ms since 1970 */
  readonly at: number;
  readonly host: string;
  /** `status 502`, `ECONNREFUSED`, `timeout` */
  readonly kind: string;
  readonly count: number;
  /** what was going on */
  readonly during: string;
}

/** A time in which a host cannot answer, for a reason that no software could change. */
export interface Absence {
  readonly host: string;
  readonly why: string;
  readonly from: number;
  /** absent: it still is */
  readonly to?: number;
}

/** The requests that were sent, and failed. */
export interface Requests {
  readonly sent: number;
  /** sent to hosts while they were away */
  readonly sentAway: number;
  readonly failures: readonly Failure[];
  readonly absences: readonly Absence[];
  /** in which requests were sent */
  readonly seconds: number;
}

/** The machine that a soak ran on. */
export interface Machine {
  readonly cores: number;
  readonly model: string;
  /** bytes */
  readonly memory: number;
  readonly kernel: string;
  readonly docker: string;
}

/** What takes room at a moment. Bytes, or how many. */
export interface Sizes {
  readonly containers: number;
  readonly volumes: number;
  readonly networks: number;
  readonly images: number;
  readonly state: number;
  readonly hosts: number;
  readonly registry: number;
  readonly engines: number;
  readonly available: number;
}

/** All that a soak has to tell. */
export interface Journal {
  readonly startedAt: number;
  readonly ms: number;
  readonly minutes: number;
  readonly seed: number;
  readonly machine: Machine;
  readonly steps: readonly Step[];
  readonly calls: readonly Call[];
  readonly requests: Requests;
  /** absent where it did not come to it */
  readonly sizes?: { readonly begin: Sizes; readonly end?: Sizes };
  /** how often the environment had to be made anew, after something that was wrong */
  readonly renewed: number;
  /** how often what was wrong at a first look was right seconds later, as hosts of a busy machine answer late */
  readonly lookedAgain: number;
  /** stopped before its time */
  readonly stopped: boolean;
}

/** The time until a slow request counts as lost: so long before it fails its host may have been away. */
const longestRequest = 60_000;
/** Failures are seen some moments after they were. */
const seenAfter = 1000;

/** Returns whether a host was away when a request failed, or was so while the request waited. */
export function wasAway({ at, host, kind }: Failure, absences: readonly Absence[]): boolean {
  const since = kind === 'timeout' ? at - longestRequest : at - seenAfter;
  return absences.some(
    (absence) => absence.host === host && absence.from <= at && (absence.to ?? Number.POSITIVE_INFINITY) >= since,
  );
}

/** Returns the failures that nothing excuses. */
export function failuresOf({ failures, absences }: Requests): readonly Failure[] {
  return failures.filter((failure) => !wasAway(failure, absences));
}

/** Returns whether all was as it has to be. */
export function isGood(journal: Journal): boolean {
  return failuresOf(journal.requests).length === 0 && journal.steps.every(({ wrong }) => wrong.length === 0);
}
