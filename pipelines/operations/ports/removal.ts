import type { Environment } from '../../model/environment.ts';
import type { Inventory } from '../../model/inventory.ts';
import type { Target } from '../../model/target.ts';
import type { StackPart } from './stacks.ts';

/** The removal of an environment from its hosts, and out of the record. */
export interface Removal {
  /** Returns the parts of the environment that are recorded. */
  recorded(environment: string): Promise<ReadonlySet<StackPart>>;
  /** Returns what hosts have of an environment, by its labels. Throws LockageError when one does not answer. */
  inventory(environment: Environment, targets: readonly Target[]): Promise<readonly Inventory[]>;
  /**
   * Destroys a stack. Returns why Pulumi could not remove all of it; undefined when it did. Throws LockedError, or
   * OvertakenError.
   */
  destroyStack(environment: string, part: StackPart): Promise<string | undefined>;
  /** Removes what is listed, and data only if `withData`. */
  remove(inventory: Inventory, withData: boolean): Promise<void>;
  /** Forgets a stack, with what is recorded in it. */
  forgetStack(environment: string, part: StackPart): Promise<void>;
  /**
   * Forgets what is recorded of a host that is gone for good, its cordon last. Throws BrokenError, where some of it may be
   * forgotten by then, or LockedError.
   */
  forgetHost(environment: string, host: string): Promise<void>;
}
