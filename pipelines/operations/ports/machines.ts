import type { Environment } from '../../model/environment.ts';
import type { MachineImage } from '../../model/machine-image.ts';
import type { MachineSet } from '../../model/target.ts';

/** The machines that environments make for themselves. Others have none, and nothing is to do for them. */
export interface Machines {
  /**
   * Returns what has to be done before an environment's machines can be used, for people to read before they confirm;
   * nothing when they run. Throws LockageError when they were made otherwise than they are configured, or elsewhere.
   */
  pendingChanges(environment: Environment): Promise<readonly string[]>;
  /**
   * Returns whether machines of an image, as they are configured now, are others than those that serve. Throws
   * LockageError when they cannot be made here.
   */
  needsReplacement(environment: Environment, image: string): Promise<boolean>;
  /**
   * Makes and starts what is missing. Returns the environment with its machines' addresses. Where `image` makes others
   * than those that serve, these are made beside them, and are the hosts of the environment that is returned.
   */
  ensure(environment: Environment, image?: string): Promise<Environment>;
  /**
   * Points the environment's one address at its hosts that are in service, and at no others. Resolves when those that it
   * led to have no request under way. Returns false where it did so already, or there is none.
   */
  routeTo(environment: Environment): Promise<boolean>;
  /**
   * Removes machines that neither serve nor are configured, with all that is recorded of them; the one address leads to
   * the others before.
   */
  reconcile(environment: string): Promise<void>;
  /** Returns what an environment has of machines: recorded, or left on this computer by a command that was killed. */
  present(environment: string): Promise<MachinesPresent>;
  /**
   * Removes all machines of an environment with all that is on them, their network, keys and record. Calls `begin` before,
   * once nothing stands in the way of it. Throws LockageError, before that, where they cannot be removed from here.
   */
  destroy(environment: string, begin: () => Promise<void>): Promise<void>;
  /**
   * Starts the machines of an environment that are here and do not run, and makes none. Returns all of them. One that does not
   * come up keeps the others from nothing.
   */
  start(environment: string): Promise<readonly StartedMachine[]>;
  /** Builds an image of today's packages for machines of a kind, and records it. Throws LockageError. */
  build(version: string, kind: MachineSet['kind']): Promise<MachineImage>;
}

/** A machine, and whether it runs now: one whose files are gone is not made again. */
export interface StartedMachine {
  readonly environment: string;
  readonly host: string;
  readonly runs: boolean;
  /** why it does not come up, and its last words; absent: it runs, or is gone */
  readonly problem?: readonly string[];
}

/** The machines of an environment that are there. */
export interface MachinesPresent {
  /** a record of them exists */
  readonly recorded: boolean;
  readonly names: readonly string[];
  /** URLs of the hosts that the recorded ones are */
  readonly urls: readonly string[];
}
