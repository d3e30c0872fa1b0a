/*
 * What clocks on a wall show in a time zone, and back. A wall time is a number, too: milliseconds since 1970 as if the zone
 * were UTC, so that days and hours are added to it as people do who look at such a clock.
 */

const second = 1000;
const day = 86_400 * second;

/** Making a formatter takes a hundred times as long as using it. */
const formatters = new Map<string, Intl.DateTimeFormat>();

/** Returns whether a time zone of that name is known: `Europe/Berlin`, `UTC`. */
export function isZone(zone: string): boolean {
  // Offsets as `+02:00` are taken by newer runtimes only, and know no summer time.
  if (!/^[a-z]/i.test(zone)) return false;
  try {
    formatterOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** Returns the wall time at a moment. Throws RangeError for a zone that is not known. */
export function wallTime(moment: number, zone: string): number {
  const fields: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatterOf(zone).formatToParts(moment)) fields[type] = Number(value);
  const { year = 0, month = 1, day: date = 1, hour = 0, minute = 0, second: seconds = 0 } = fields;
  const fraction = ((moment % second) + second) % second;
  return Date.UTC(year, month - 1, date, hour, minute, seconds) + fraction;
}

/**
 * Returns the first and the last moment with a wall time. They differ where clocks go back; where clocks skip that time,
 * both are the moment of the jump.
 */
export function momentsOf(wall: number, zone: string): { readonly first: number; readonly last: number } {
  // No zone is more than a day from UTC, so one of these is its offset then.
  const offsets = [wall - day, wall + day].map((moment) => wallTime(moment, zone) - moment);
  const candidates = offsets.map((offset) => wall - offset);
  const [first, last] = [Math.min(...candidates), Math.max(...candidates)];
  const found = candidates.filter((moment) => wallTime(moment, zone) === wall);
  if (found.length > 0) return { first: Math.min(...found), last: Math.max(...found) };
  const jump = firstAfter(wall, zone, first, last);
  return { first: jump, last: jump };
}

/** Returns the first moment with a later wall time, of those between two moments. */
function firstAfter(wall: number, zone: string, before: number, after: number): number {
  let [low, high] = [before, after];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallTime(middle, zone) > wall) high = middle;
    else low = middle;
  }
  return high;
}

/** Returns the day of the week of a wall time; Monday is 0. */
export function weekday(wall: number): number {
  // 1970 began on a Thursday.
  return (((Math.floor(wall / day) + 3) % 7) + 7) % 7;
}

/** Writes a moment as clocks in its zone show it: `2026-11-30 08:00 Europe/Berlin`. */
export function zonedText(moment: number, zone: string): string {
  return `${new Date(wallTime(moment, zone)).toISOString().slice(0, 16).replace('T', ' ')} ${zone}`;
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known) return known;
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' } as const;
  const options = { timeZone: zone, hourCycle: 'h23', minute: 'numeric', second: 'numeric' } as const;
  const made = new Intl.DateTimeFormat('en-US', { ...numeric, ...options });
  formatters.set(zone, made);
  return made;
}
