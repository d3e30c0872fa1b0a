/** Writes a time as people read it in a message: `2026-11-21 10:32 UTC`. Text that is not a time stays as it is. */
export function whenText(iso: string): string {
  return Number.isNaN(Date.parse(iso)) ? iso : `${new Date(iso).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/**
 * Writes how long ago a time was: `just now`, `4 min ago`, `3 d ago`; `now` in milliseconds since 1970. Text that is
 * not a time stays as it is.
 */
export function agoText(when: string, now: number): string {
  if (Number.isNaN(Date.parse(when))) return when;
  const seconds = Math.max(0, Math.round((now - Date.parse(when)) / 1000));
  if (seconds < 10) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Writes a span of milliseconds in its two largest units, rounded down: `45 s`, `2 h`, `3 d 4 h`. */
export function spanText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const units = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['min', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ] as const;
  const first = units.findIndex(([, count]) => count > 0);
  const shown = units.slice(first, first + 2).filter(([, count]) => count > 0);
  return first < 0 ? '0 s' : shown.map(([unit, count]) => `${count} ${unit}`).join(' ');
}
