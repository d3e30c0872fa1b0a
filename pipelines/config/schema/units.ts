const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const bytes = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

export const durationPattern = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/;
export const sizePattern = /^(\d{1,9}(?:\.\d{1,3})?)(KiB|MiB|GiB|TiB)$/;

/** Parses `500ms`, `10s`, `2m`, `1h` to milliseconds; returns undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = durationPattern.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * milliseconds[unit as keyof typeof milliseconds]);
}

/** Parses `512KiB`, `256MiB`, `1.5GiB` to bytes; returns undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit] = sizePattern.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * bytes[unit as keyof typeof bytes]);
}
