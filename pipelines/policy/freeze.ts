import type { FreezeWindow, WeeklySpan } from '../model/freeze.ts';
import { momentsOf, wallTime, weekday } from '../model/zoned-time.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const week = 7 * day;

/** A freeze at a moment. */
export interface Freeze {
  /** milliseconds since 1970: when all windows that follow one another are over; absent: that is not in sight */
  readonly until?: number;
  /** the time zone of the window that began it */
  readonly zone: string;
  readonly reason?: string;
}

/** How many windows may follow one another before their end is not in sight: those of two months of days. */
const mostJoined = 60;

/**
 * Returns the freeze at a moment (milliseconds since 1970); undefined where there is none. Where clocks are set back in a
 * window, it ends when they show its end for the last time; one that begins then, begins when they show that first.
 */
export function freezeAt(windows: readonly FreezeWindow[], now: number): Freeze | undefined {
  const [first] = windows.filter((window) => endOf(window, now) !== undefined);
  if (!first) return undefined;
  const { zone, reason } = first;
  const until = openAgain(windows, now);
  return { zone, ...(reason === undefined ? {} : { reason }), ...(until === undefined ? {} : { until }) };
}

function openAgain(windows: readonly FreezeWindow[], now: number): number | undefined {
  let at = now;
  for (let joined = 0; joined < mostJoined; joined += 1) {
    const ends = windows.map((window) => endOf(window, at)).filter((end) => end !== undefined);
    if (ends.length === 0) return at;
    at = Math.max(...ends);
  }
  return undefined;
}

/** Returns when a window ends in which a moment lies; undefined where it lies in none. */
function endOf(window: FreezeWindow, now: number): number | undefined {
  if (window.kind === 'fixed') return window.from <= now && now < window.until ? window.until : undefined;
  const ends = window.spans.map((span) => endOfSpan(span, window.zone, now)).filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

function endOfSpan({ from, until }: WeeklySpan, zone: string, now: number): number | undefined {
  const wall = wallTime(now, zone);
  const today = Math.floor(wall / day) * day;
  const length = ((until - from) * minute + week) % week || week;
  const daysAgo = (weekday(today) - Math.floor((from * minute) / day) + 7) % 7;
  const begun = today - daysAgo * day + ((from * minute) % day);
  // The one of this week may not have begun, and that of the week before may go on.
  const ends = [begun, begun - week]
    .map((start) => ({ first: momentsOf(start, zone).first, last: momentsOf(start + length, zone).last }))
    .filter(({ first, last }) => first <= now && now < last)
    .map(({ last }) => last);
  return ends.length === 0 ? undefined : Math.max(...ends);
}
