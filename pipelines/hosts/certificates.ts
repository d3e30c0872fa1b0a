/** A certificate that a connection depends on. */
export interface Certificate {
  /** whose it is: the host's, this client's, or its signer's */
  readonly use: 'CA' | 'client' | 'server';
  /** ISO 8601 */
  readonly expires: string;
}

const day = 24 * 60 * 60_000;
const daysAhead = 30;

/**
 * Returns warnings about certificates that end within 30 days: `the server certificate expires on 2026-12-01, in 9
 * days`. `now` in milliseconds since 1970.
 */
export function expiryWarnings(certificates: readonly Certificate[], now: number): string[] {
  return certificates
    .map(({ use, expires }) => ({
      use,
      date: expires.slice(0, 10),
      left: Math.floor((Date.parse(expires) - now) / day),
    }))
    .filter(({ left }) => left < daysAhead)
    .map(
      ({ use, date, left }) => `the ${use} certificate ${left < 0 ? 'expired' : 'expires'} on ${date}${inDays(left)}`,
    );
}

function inDays(left: number): string {
  if (left < 0) return '';
  return left === 0 ? ', within a day' : `, in ${left} day${left === 1 ? '' : 's'}`;
}
