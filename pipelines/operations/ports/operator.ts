import type { SecretVersion } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { Inventory } from '../../model/inventory.ts';
import type { Plan } from '../../model/plan.ts';
import type { Adoption } from '../../planning/plan-adoption.ts';
import type { StoredThing } from '../../planning/plan-pruning.ts';
import type { SecretVersions } from '../../planning/rollout-inputs.ts';

/** The one door for secrets: names and versions travel, values stay behind it until a resource needs them. */
export interface Secrets {
  /**
   * Reads all secrets that an environment uses from their sources. Returns their versions: a recorded one stays for as
   * long as the value does. Throws LockageError.
   */
  read(environment: Environment, recorded?: SecretVersions): Promise<SecretVersions>;
  /**
   * Makes recorded values available, for containers that are made again as they were. Throws LockageError naming the
   * versions whose values are not recorded.
   */
  recall(environment: string, versions: readonly SecretVersion[]): Promise<void>;
  /** Returns a text without the values that were read or recalled, as it may be recorded. */
  mask(text: string): string;
}

/** The operator's screen. */
export interface Terminal {
  /** Begins one step of the work; ends the one before. */
  step(name: string, detail?: string): void;
  note(text: string): void;
  /** Says for whom the command waits, and how long; each call takes the place of the one before. */
  waiting(text: string): void;
  plan(plan: Plan): void;
  /** Shows what is taken over from hosts. */
  adoption(adoption: Adoption): void;
  /** Shows what a removal takes away from hosts. */
  inventory(found: readonly Inventory[], withData: boolean): void;
  /** Shows what is stored, what of it goes, and why. */
  pruning(things: readonly StoredThing[]): void;
  /** Shows machines that a removal takes away. */
  machines(names: readonly string[]): void;
  /** a person is asked; false: they have agreed beforehand, and `confirm` asks nobody */
  readonly asks: boolean;
  /** Throws LockageError when the person says no, or nobody can be asked. */
  confirm(question: string): Promise<void>;
}
