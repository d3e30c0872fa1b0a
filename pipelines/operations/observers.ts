import type { Gate } from '../model/gate.ts';
import type { Release } from '../model/release.ts';
import type { BrokenGlass } from '../model/revision.ts';
import { brokenGlass } from '../policy/break-glass.ts';

/*
 * Those outside who hear of operations: the project's hooks, notifications, GitHub. They may refuse what has not begun, and
 * never change how something ended. `observe.ts` tells them.
 */

/** The facts of an operation that others are told. More of them are known the further it is. */
export interface OperationFacts {
  /** its name among the operations: `promote` */
  readonly operation: string;
  readonly environment?: string;
  /** the version that it is about, as it was asked for */
  readonly version?: string;
  readonly release?: Release;
  /** the release that served before */
  readonly previous?: Release;
  readonly gates?: readonly Gate[];
  /** of the revision that came of it */
  readonly revision?: number;
  /** names of the environment's hosts */
  readonly hosts?: readonly string[];
  /** names of its roles */
  readonly roles?: readonly string[];
  readonly reason?: string;
  /** why gates are passed that are not met, if there are any; without secrets */
  readonly breakGlass?: string;
  /** only the plan is shown, or nothing is moved */
  readonly isTrial?: boolean;
}

/** A point of an operation at which it can still be refused. */
export type OperationPoint = 'pre-build' | 'pre-deploy';

/** The end of an operation. */
export interface OperationEnd extends OperationFacts {
  /** `unchanged`: all was so already, or only a plan was shown */
  readonly outcome: 'done' | 'unchanged' | 'refused' | 'locked' | 'rolled back' | 'broken' | 'partial' | 'interrupted';
  /** what failed */
  readonly message?: string;
  /** further lines of it: the gates that are not met, the hosts */
  readonly details?: readonly string[];
  /** milliseconds */
  readonly duration: number;
}

/** Returns the gates that somebody passed although they were not met, and why; undefined where nobody did. */
export function brokenGlassOf({ gates, breakGlass }: OperationFacts): BrokenGlass | undefined {
  return brokenGlass(gates, breakGlass);
}

/** The operations after which another revision serves. */
export const deploying: ReadonlySet<string> = new Set(['promote', 'rollback', 'scale', 'heal', 'replaceMachines']);

/** Returns whether what was asked for serves now, at least where hosts answer. */
export function isThere({ outcome, message }: OperationEnd): boolean {
  return outcome === 'done' || (outcome === 'partial' && message === undefined);
}

/** Those who hear of the operations of a command. */
export interface Observers {
  /** Tells that an operation begins; nothing was asked of anybody yet. Throws LockageError when one of them refuses it. */
  begin(facts: OperationFacts): Promise<void>;
  /** Tells that it has come to a point. Throws LockageError when one of them refuses to go on. */
  reach(point: OperationPoint, facts: Partial<OperationFacts>): Promise<void>;
  /** Tells what is known of it by now. */
  know(facts: Partial<OperationFacts>): void;
  /** Tells how it ended. Never throws, and takes seconds at most where somebody outside does not answer. */
  end(end: OperationEnd): Promise<void>;
}
