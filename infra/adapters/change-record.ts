import { setTimeout as sleep } from 'node:timers/promises';
import { LockedError, RecordChangedError } from '../../pipelines/errors.ts';
import type { Basis } from '../resources/basis.ts';

/** A recorded value, with the mark by which it is known again. */
export interface Stored<Value> {
  readonly value: Value;
  readonly basis: Basis;
}

/** A record that several commands may change at once. */
export interface SharedRecord<Value> {
  read(): Promise<Stored<Value>>;
  /** Records a value in place of the one with that mark. Throws LockedError when another one is recorded by now. */
  write(value: Value, basis: Basis): Promise<void>;
}

/** How long others may get in between, how long one of them may have it, and how long to wait after each time: ms. To record takes seconds. */
const limits = { total: 120_000, locked: 30_000, pause: 500 };

/**
 * Changes a record by a function of what is stored, which is asked again each time somebody else was faster. A function
 * that returns the very value it got changes nothing. Returns what is recorded then. Throws what the function throws, and
 * LockedError when others got in between for minutes, or one of them kept it.
 */
export async function changeRecord<Value>(
  record: SharedRecord<Value>,
  change: (stored: Value) => Value,
  { total, locked, pause } = limits,
): Promise<Value> {
  const start = performance.now();
  let holder = { text: '', since: start };
  for (;;) {
    const { value, basis } = await record.read();
    const changed = change(value);
    if (changed === value) return value;
    try {
      await record.write(changed, basis);
      return changed;
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      // The message says who has it, and since when.
      if (error.message !== holder.text) holder = { text: error.message, since: performance.now() };
      const isKept = !(error instanceof RecordChangedError) && performance.now() - holder.since > locked;
      if (isKept || performance.now() - start > total) throw error;
      await sleep(pause * (0.5 + Math.random()));
    }
  }
}
