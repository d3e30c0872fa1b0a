/** What a pool of copies has, by number. */
export interface PoolState {
  /** copies that nobody has */
  readonly ready: number;
  /** copies that are being made, or made pristine again */
  readonly starting: number;
  /** copies that somebody has */
  readonly taken: number;
  /** those who wait for one */
  readonly waiting: number;
  /** how many are kept ready */
  readonly size: number;
  /** how many are made at a time */
  readonly atOnce: number;
  /** how many there are at most, if nobody keeps several; absent: a copy is not used again, so none comes back */
  readonly most?: number;
}

/** Returns how many copies to begin now: one for each who waits, and as many as are kept ready besides. */
export function copiesToStart({ ready, starting, taken, waiting, size, atOnce, most }: PoolState): number {
  const missing = size + waiting - ready - starting;
  // Who waits while others keep all that there are is not left waiting.
  const least = waiting > 0 && starting === 0 ? 1 : 0;
  const room = most === undefined ? missing : Math.max(least, most - ready - starting - taken);
  return Math.max(0, Math.min(missing, atOnce - starting, room));
}
