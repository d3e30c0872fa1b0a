import type { AuditHead } from './audit-entry.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { Turn } from './fence.ts';
import type { Attempt, Ledger } from './revision.ts';
import type { EnvironmentHost, Target } from './target.ts';

/** A container and the host it runs on, or a service and what schedules it. */
export interface PlacedContainer {
  readonly host: Target;
  readonly spec: ContainerSpec;
}

/** A job of a verification, and the container that it runs in. */
export interface PlacedJob extends PlacedContainer {
  readonly job: string;
  /** see `definitionOf` */
  readonly definition: string;
  /** milliseconds of one try */
  readonly timeout: number;
  /** tries after the first */
  readonly retries: number;
}

/** Returns whether two are the same container on the same host. */
export function samePlace(a: PlacedContainer, b: PlacedContainer): boolean {
  return a.host.name === b.host.name && a.spec.name === b.spec.name;
}

/** The name of a secret and a short hash of its value; the value itself is read when a resource needs it. */
export interface SecretVersion {
  readonly name: string;
  readonly version: string;
}

/** The containers of roles of which two at once are wrong. */
export interface StopFirst {
  readonly roles: readonly string[];
  /** made, and started only when nothing of their roles runs any more */
  readonly start: readonly PlacedContainer[];
  /** those that serve until then, and are started again when it fails */
  readonly before: readonly PlacedContainer[];
}

/** The state of an environment after an operation: the input of its Pulumi program. */
export interface DesiredState {
  readonly app: string;
  readonly environment: string;
  /** names this operation; it makes resources that act in each operation differ */
  readonly operation: string;
  /** the mark of the record that this was decided from */
  readonly basis: string;
  /** those that are pending, and the revision that is made or gone back from */
  readonly attempts?: readonly Attempt[];
  /** what its changes of hosts carry: an operation that goes back keeps its own */
  readonly turn: Turn;
  /** the containers that get the traffic */
  readonly serving: readonly PlacedContainer[];
  /** containers of earlier releases that are kept */
  readonly standby: readonly PlacedContainer[];
  /** containers that served before: where a request goes when a new container fails while the switch is unconfirmed */
  readonly fallback: readonly PlacedContainer[];
  /** serving containers that rested as standby and have to be started */
  readonly wake: readonly PlacedContainer[];
  /** serving containers that start only when those before them have ended; absent: none of these changes */
  readonly stopFirst?: StopFirst;
  /** containers that must prove themselves before any route moves */
  readonly verify: readonly PlacedContainer[];
  /** serving containers that hosts may have lost, or that do not run, whatever is recorded: these are made again */
  readonly again?: readonly PlacedContainer[];
  /** standby containers that are not as they were made: each gives way to another one, which rests where it has no traffic */
  readonly anew?: readonly PlacedContainer[];
  /** containers of other releases that are made are only tried: those without traffic do not work */
  readonly drill?: true;
  /** how long the release is watched after the switch, ms; 0: the switch is final at once */
  readonly watch: number;
  /** hosts with accessories, which are watched with it: they may serve nothing else */
  readonly neighbours?: readonly EnvironmentHost[];
  /** the operator has not confirmed the routes yet: hosts switch back by themselves */
  readonly guarded: boolean;
  /** machines of the environment that take over from others: all traffic moves from these to those at once */
  readonly handover?: { readonly from: readonly EnvironmentHost[]; readonly to: readonly EnvironmentHost[] };
  /** run against what serves while it is watched: one that fails takes it back */
  readonly jobs?: readonly PlacedJob[];
  readonly migration?: { readonly host: Target; readonly spec: ContainerSpec; readonly timeout: number };
  /** secret versions that the containers above need */
  readonly secrets: readonly SecretVersion[];
  readonly ledger: Ledger;
  /** the end of the audit log: what is recorded keeps it as an anchor */
  readonly audit?: AuditHead;
  /** when the operation that the ledger's last revision records began, ms since 1970; absent when it adds none */
  readonly startedAt?: number;
}
