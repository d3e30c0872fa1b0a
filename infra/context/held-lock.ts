import type { Turn } from '../../pipelines/model/fence.ts';

/** The lock that a command holds on an environment, as those see it who change something under it. */
export interface HeldLock {
  /**
   * Asks the hosts whether it is still held, once a second at most: somebody may have lifted it, or this computer have slept.
   * Throws OvertakenError when somebody else has it, or LockageError when its lease may be over and no host can say so.
   * Nothing is asked, and nothing thrown, where no lock was taken.
   */
  check(): Promise<void>;
  /** Calls `stop` once it is lost. Returns a function that ends that. */
  onLost(stop: (error: Error) => void): () => void;
  /** Returns whether it is held on the host of that name. */
  holdsOn(host: string): boolean;
  /** Returns the turn of an operation of this command, which takes over what was claimed together with the lock. */
  turnOf(turn: Turn): Turn;
}
