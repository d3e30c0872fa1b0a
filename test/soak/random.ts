/** Random choices that a seed repeats. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 to less than 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns a whole number from `from` to less than `to`. */
  between(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from));
  }

  /** Returns one of the items. Throws when there is none. */
  pick<T>(items: readonly T[]): T {
    const [chosen] = items.slice(this.between(0, items.length));
    if (chosen === undefined) throw new Error('there is nothing to choose from');
    return chosen;
  }

  /** Returns the items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const left = [...items];
    return items.flatMap(() => left.splice(this.between(0, left.length), 1));
  }
}

/**
 * Returns the items in random order without an end: each comes once in a round, and what a round is depends on the seed
 * and its number only.
 */
export function* rounds<T>(seed: number, items: readonly T[]): Generator<T, never> {
  for (let round = 0; ; round += 1) yield* new Random(mixed(seed, round)).shuffled(items);
}

/** Returns the seed of one of many parts, so that what a part chooses changes nothing for the next one. */
export function mixed(seed: number, part: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(part + 1, 0xc2b2ae35)) >>> 0;
}
