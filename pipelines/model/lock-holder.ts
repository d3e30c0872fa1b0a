/** The process that changes an environment, its user, and since when. */
export interface LockHolder {
  readonly actor: string;
  readonly machine: string;
  readonly pid: number;
  /** where `pid` is valid: a boot of a computer, and a pid namespace; absent in records of earlier versions */
  readonly pidSpace?: string;
  /** ISO 8601 */
  readonly since: string;
  readonly purpose: string;
}

/** A lock as hosts have it: who holds it, and for how long it counts without being renewed. */
export interface FoundLock {
  readonly holder: LockHolder;
  /**
   * milliseconds until its lease is over, by the clock of the host; negative once it is, when anybody may take it. Absent
   * for a lock of an earlier version, which has none.
   */
  readonly leaseLeft?: number;
}

/** Returns whether two locks are the same holding of one process. */
export function isSameHolder(a: LockHolder, b: LockHolder | undefined): boolean {
  return b !== undefined && a.since === b.since && a.pid === b.pid && a.machine === b.machine;
}
