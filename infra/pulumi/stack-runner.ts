import type { LockHolder } from './errors.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { ResourceName } from '../resources/declared.ts';
import type { RecordedResource } from '../resources/keep-others.ts';

/** The options of one run of a program. */
export interface UpOptions {
  /** for the stack's history */
  readonly message: string;
  /** look at what is recorded first */
  readonly refresh?: boolean;
  /** the one of our resources that is made or changed; absent: all that the program declares */
  readonly only?: ResourceName;
}

/** A program, which is told what is recorded. */
export type StackProgram = (recorded: readonly RecordedResource[]) => Promise<void>;

/** The runs of programs against stacks, whose states are kept. Each throws LockageError. */
export interface StackRunner {
  /** Makes a stack what a program declares. Throws the error that a resource of ours threw, if one did. */
  up(name: string, program: StackProgram, context: ProviderContext, options: UpOptions): Promise<void>;
  /** Removes everything of a stack, and the stack. */
  destroy(name: string, context: ProviderContext): Promise<void>;
  /** Removes a stack, whatever its state says that exists. */
  forget(name: string): Promise<void>;
  /** Makes a stack's state forget what hosts have of it that are gone for good. */
  forgetHosts(name: string, hosts: readonly string[]): Promise<void>;
  /** Makes a stack's state forget edges and accessories that Docker's plugin made, so that it never removes them. */
  forgetFormerStanding(name: string): Promise<void>;
  /** Lifts the locks of stacks whose environment's lock was taken over. */
  cancelLocks(names: readonly string[]): Promise<void>;
  /** Ends the runs on a stack that a process of this computer has started. */
  endRunsOf(stack: string, parent: number): Promise<void>;
  /** Lifts the lock that one run has on a stack; it is ended first where it runs on this computer. */
  liftLock(stack: string, holder: LockHolder): Promise<void>;
}
