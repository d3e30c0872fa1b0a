import type { ContainerSpec } from './container-spec.ts';
import type { SignaturePolicy } from './evidence/signature-policy.ts';
import type { Gate } from './gate.ts';
import type { Accessory, EdgeSettings, Migration } from './environment.ts';
import type { Release } from './release.ts';
import type { Counts } from './role-counts.ts';
import type { JobResult } from './verification.ts';

/**
 * A numbered change of an environment, done or failed: everything that is needed to run it again exactly, except the
 * secrets' values, which the state holds by their version.
 */
export interface Revision {
  readonly number: number;
  readonly release: Release;
  /** containers of the release, all hosts */
  readonly containers: readonly ContainerSpec[];
  /** names of the secrets → short hash of their value, so that a change shows without the value */
  readonly secretVersions: Readonly<Record<string, string>>;
  readonly kind: 'promote' | 'rollback' | 'repair' | 'scale' | 'image';
  /** `unfinished`: its outcome was never recorded, as its operator was gone, or is at it still */
  readonly result: 'succeeded' | 'failed' | 'unfinished';
  /** `user@machine` */
  readonly actor: string;
  /** ISO 8601 */
  readonly startedAt: string;
  /** milliseconds from the command's start to the record */
  readonly duration: number;
  /** the user's reason, or what failed */
  readonly reason?: string;
  /** gates that were not met, and were passed all the same */
  readonly brokenGlass?: BrokenGlass;
  /** roles whose number of containers differed from the configuration's */
  readonly counts?: Counts;
  /** why it came there although its code may not run with the data */
  readonly forcedSchema?: string;
  /** of a rollback: the revision whose containers serve again */
  readonly restores?: number;
  /** `sha256:…` of the image of the machines it ran on, where they are the environment's own */
  readonly machineImage?: string;
  /** names of the hosts that were cordoned and did not get it */
  readonly without?: readonly string[];
  /** how the jobs of its environment ended, of each the last time */
  readonly verification?: readonly JobResult[];
  /** what was asked of signatures when it came in; absent: nothing, or it came in by no gate */
  readonly policy?: SignaturePolicy;
  /** absent: it was recorded before that was, or did not succeed */
  readonly stoodOn?: StoodOn;
  /** role → milliseconds for which nothing of it ran, of those that are stopped before the next one starts */
  readonly gaps?: Readonly<Record<string, number>>;
  /** ISO 8601: when its environment was archived. Neither it nor one before it serves, or can be gone back to */
  readonly ended?: string;
}

/** The gates that a person has passed although they were not met, and why. */
export interface BrokenGlass {
  readonly reason: string;
  readonly gates: readonly Pick<Gate, 'gate' | 'from' | 'text'>[];
}

/** The things that stay while releases come and go, as they were when a revision was recorded: enough to make them again. */
export interface StoodOn {
  /** with the images by the digests that they were pinned to */
  readonly accessories: readonly Accessory[];
  readonly edge: EdgeSettings & { readonly image: string };
  /** that of its release, and the version of that; absent: it has none, or none is known */
  readonly migration?: Migration & { readonly version: string };
}

/** A revision before its outcome is known. */
export type PlannedRevision = Omit<Revision, 'result' | 'duration'>;

/** The record of a change before any of it is done: it stays known when nobody is left to record how it ended. */
export interface Attempt extends Pick<Revision, 'number' | 'release' | 'kind' | 'actor' | 'startedAt' | 'reason'> {
  readonly result: Exclude<Revision['result'], 'succeeded'>;
  /** that hosts know it by, once it is more than an intent */
  readonly operation?: string;
  /** taken before its migration, which may have begun when nobody is left to record them */
  readonly dumps?: readonly DataDump[];
}

/** A stop that a rollback sets: nothing is promoted until a person lifts it. */
export interface Hold {
  readonly since: string;
  readonly actor: string;
  readonly reason: string;
  /** the version that was rolled back */
  readonly version: string;
}

/** A host that a person took out of its environment, because it failed or is being worked on: it is not contacted. */
export interface Cordon {
  /** name of the host */
  readonly host: string;
  /** ISO 8601 */
  readonly since: string;
  readonly actor: string;
  readonly reason: string;
}

/** A rollback that was tried without moving traffic. */
export interface Drill {
  /** ISO 8601 */
  readonly at: string;
  readonly actor: string;
  /** what it would go back to */
  readonly version: string;
  readonly revision: number;
  /** its containers were there, or were made for it */
  readonly from: 'standby' | 'image';
  /** milliseconds from the command's start until all hosts were ready to switch */
  readonly duration: number;
  /** what kept it from succeeding */
  readonly failed?: string;
  /** of one that failed: the last one before it that did not */
  readonly worked?: Pick<Drill, 'at' | 'version' | 'duration'>;
}

/** The schema that data have. */
export interface DataSchema {
  readonly version: number;
  /** the oldest schema whose code runs with it */
  readonly compatible: number;
  /** the version that brought it; empty: none did */
  readonly release: string;
  /** number of the last revision by then: later ones may have brought a higher one */
  readonly revision: number;
}

/** The data of an accessory as they were before a migration, in a file of whoever promoted. */
export interface DataDump {
  readonly accessory: string;
  /** from the project's folder */
  readonly file: string;
  readonly bytes: number;
  /** of the file, in hex; absent in earlier records */
  readonly sha256?: string;
  /** ISO 8601 */
  readonly at: string;
  /** number of the revision whose migration came after it, and its version */
  readonly revision: number;
  readonly version: string;
  readonly schema: DataSchema;
  /** `user@machine`, where the file is */
  readonly actor: string;
  /** a migration before it did not end well, and may have changed these data */
  readonly doubtful?: true;
  /** number of the last change when its data were taken in again */
  readonly restored?: number;
}

/** The ledger that an environment's stack records: the revisions, newest last, a hold, and cordoned hosts. */
export interface Ledger {
  readonly revisions: readonly Revision[];
  readonly hold?: Hold;
  /** ISO 8601: when the last hold was lifted */
  readonly resumed?: string;
  readonly cordons?: readonly Cordon[];
  /** the last one */
  readonly drill?: Drill;
  /** the schema of its data, as far as it does not follow from the revisions after it */
  readonly schema?: DataSchema;
  /** those that were taken before migrations, oldest first */
  readonly dumps?: readonly DataDump[];
  /** number of the last change that made no revision, as a cordon: it counts as one, so that a state from before it is known as older */
  readonly changed?: number;
}
