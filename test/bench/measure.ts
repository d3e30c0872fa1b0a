/** The benchmark's method: the tool and its baseline take turns, and the median of each is kept. */

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
}

/** A line of the result. Times are milliseconds. */
export interface Row {
  readonly part: string;
  readonly what: string;
  readonly unit: 'ms' | 'bytes' | 'requests';
  readonly ours?: Figure;
  /** the same job by other means, in the same run on the same hosts */
  readonly baseline?: Figure;
  readonly against?: string;
  /** in words */
  readonly goal?: string;
  /** absent where there is no goal */
  readonly met?: boolean;
  readonly note?: string;
}

/** Returns the milliseconds that `work` took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/**
 * Takes turns, so that a drift of the machine affects all alike. Each member is called once a round, in the given
 * order, and returns its own measurement. The first `warmUp` rounds come before those and do not count.
 */
export async function takeTurns<Name extends string>(
  rounds: number,
  members: Readonly<Record<Name, (round: number) => Promise<number>>>,
  warmUp = 0,
): Promise<Record<Name, Figure>> {
  const names = Object.keys(members) as Name[];
  const samples = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < warmUp + rounds; round += 1) {
    for (const name of names) {
      const sample = await members[name](round);
      if (round >= warmUp) samples.get(name)?.push(sample);
    }
  }
  return Object.fromEntries(names.map((name) => [name, figure(samples.get(name) ?? [])])) as Record<Name, Figure>;
}

export function figure(samples: readonly number[]): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = 0, high = 0] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return { median: (low + high) / 2, least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0, rounds: sorted.length };
}
