/** What a pool of copies has, by number. */
export interface PoolState {
  /** copies that nobody has */
  readonly ready: number;
  /** copies that are being made */
  readonly starting: number;
  /** those who wait for one */
  readonly waiting: number;
  /** how many are kept ready */
  readonly size: number;
  /** how many are made at a time */
  readonly atOnce: number;
}

/** Returns how many copies to begin now: one for each who waits, and as many as are kept ready besides. */
export function copiesToStart({ ready, starting, waiting, size, atOnce }: PoolState): number {
  const missing = size + waiting - ready - starting;
  return Math.max(0, Math.min(missing, atOnce - starting));
}
