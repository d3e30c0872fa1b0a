import type { DesiredState, PlacedContainer } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { ClockAnswer, HostReport, PreflightReport, RunningMigration } from '../../model/host-report.ts';
import type { HostTraits, Trait } from '../../model/host-traits.ts';
import type { FoundLock, LockHolder } from '../../model/lock-holder.ts';
import type { KeptRecord } from '../../model/record-copy.ts';
import type { Release } from '../../model/release.ts';
import type { Target } from '../../model/target.ts';

/** The hosts of an environment, asked and changed all at once. */
export interface Hosts {
  /**
   * Takes the environment's lock on all hosts that answer, also those that only the record knows; one at least. Somebody
   * whose lease is over is overtaken. Throws LockedError naming who holds it and since when.
   */
  lock(environment: Environment, purpose: string): Promise<() => Promise<void>>;
  /** Returns who holds the environment's lock now; undefined when nobody does. */
  lockHolder(environment: Environment): Promise<FoundLock | undefined>;
  /**
   * Lifts a holder's lock, after the hosts have been told to refuse that one. Returns false, and lifts nothing, when
   * somebody else holds it by now.
   */
  liftLock(environment: Environment, holder: LockHolder): Promise<boolean>;
  /** Throws OvertakenError when somebody else has the lock that this command took. */
  checkLock(): Promise<void>;
  /**
   * Asks every host at once what it has: all that going back needs, where every millisecond counts. Throws LockageError
   * naming each one that does not answer or whose ports are taken.
   */
  look(environment: Environment): Promise<readonly HostReport[]>;
  /**
   * Asks targets at once what they have of an environment, for an operator who has lost the record. One that does not
   * answer says why.
   */
  kept(environment: Environment, targets: readonly Target[]): Promise<readonly KeptRecord[]>;
  /**
   * Asks every host as `look` does, and what it is made of, with the traits that are wanted. Throws LockageError as that
   * does.
   */
  preflight(environment: Environment, wanted?: readonly Trait[]): Promise<readonly PreflightReport[]>;
  /** Asks at once what hosts are made of. Throws LockageError naming each one that does not answer. */
  traits(environment: Environment, wanted: readonly Trait[]): Promise<readonly HostTraits[]>;
  /** Asks all hosts at once what time it is. Never throws for a host: one that does not answer says why. */
  clocks(environment: Environment): Promise<readonly ClockAnswer[]>;
  /** Pulls a release by digest on every host at once. Returns bytes moved by host name. Nothing has changed after it. */
  pull(environment: Environment, release: Release): Promise<Readonly<Record<string, number>>>;
  /**
   * Removes the images of a repository that have these digests: nothing needs them any more. What cannot be removed now is
   * tried again after the next promotion.
   */
  forgetImages(environment: Environment, repository: string, unneeded: ReadonlySet<string>): Promise<void>;
  /** Switches all hosts to containers that run already, at once. */
  switchNow(desired: DesiredState): Promise<void>;
  /** Has hosts that serve nothing of a state, and keep what served there, answer nobody with it. Returns false where there is none. */
  closeIdle(desired: DesiredState): Promise<boolean>;
  /**
   * Does all that switching to containers needs that run already, but the switch. Throws LockageError naming what keeps
   * which host from it.
   */
  rehearse(desired: DesiredState): Promise<void>;
  /** Starts containers that were stopped, and stops others: those without traffic. */
  startAndStop(
    environment: Environment,
    start: readonly PlacedContainer[],
    stop: readonly PlacedContainer[],
  ): Promise<void>;
  /** Asks all hosts at once whether they serve a state: its routes, and its containers. Never throws for a host. */
  serving(state: DesiredState): Promise<readonly ServingAnswer[]>;
  /**
   * Removes containers of the environment's releases that are not among these: what a killed operation left. A migration that is
   * at work stays, and is returned.
   */
  removeOthers(environment: Environment, recorded: readonly PlacedContainer[]): Promise<readonly RunningMigration[]>;
}

/** A host's answer whether it serves a state, with what is wrong where it does not, or does not say. */
export interface ServingAnswer {
  readonly host: string;
  readonly fault?: string;
}

/** Something that a host has, by its name. */
export interface HostPart {
  readonly host: Target;
  /** name of the container, service or network */
  readonly what: string;
}
