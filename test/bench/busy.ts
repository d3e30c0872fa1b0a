import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from './measure.ts';

/** The share of the processors that others may use while something is measured. */
const most = 0.3;

/** The share from which on nothing was left for anybody: what failed then may have failed for that alone. */
const usedUp = 0.97;

/** Returns the share of the processors that was used within two seconds in which the benchmark does nothing. */
export async function usedByOthers(): Promise<number> {
  const use = processorUse();
  await sleep(2000);
  return use();
}

/** Begins to look at the processors. What it returns tells which share of them was used since, by anybody. */
export function processorUse(): () => number {
  const before = times();
  return () => {
    const after = times();
    return (after.used - before.used) / Math.max(1, after.all - before.all);
  };
}

/** Returns the rows without a verdict where the machine was too busy for one. */
export function judged(rows: readonly Row[], used: number): readonly Row[] {
  return used <= most ? rows : unjudged(rows, `other work took ${Math.round(used * 100)} % of the processors`);
}

/** Returns the rows without a verdict where the work that was measured, and all other, used the processors up. */
export function judgedByUse(rows: readonly Row[], used: number): readonly Row[] {
  return used < usedUp ? rows : unjudged(rows, `${Math.round(used * 100)} % of the processors were used meanwhile`);
}

function unjudged(rows: readonly Row[], why: string): readonly Row[] {
  const busy = `not judged: ${why}`;
  return rows.map(({ met, note, ...row }) => ({
    ...row,
    ...(met === undefined && note === undefined ? {} : { note: note === undefined ? busy : `${note}; ${busy}` }),
  }));
}

function times(): { used: number; all: number } {
  const sums = cpus().map((cpu) => cpu.times);
  const idle = sums.reduce((sum, cpu) => sum + cpu.idle, 0);
  const all = sums.reduce((sum, { user, nice, sys, irq, idle: free }) => sum + user + nice + sys + irq + free, 0);
  return { used: all - idle, all };
}
