import { LockageError } from '../../pipelines/errors.ts';

/** Milliseconds for which a lock counts without being renewed: a run that is gone blocks nobody for longer. */
const usual = 90_000;

/** Returns the length of a lock's lease in milliseconds: `LOCKAGE_LEASE` has another one in seconds. Throws LockageError. */
export function leaseOf(variables: Readonly<Record<string, string | undefined>>): number {
  const written = variables['LOCKAGE_LEASE'];
  if (written === undefined || written === '') return usual;
  const seconds = /^\d{1,4}$/.test(written) ? Number(written) : 0;
  if (seconds >= 3 && seconds <= 3600) return seconds * 1000;
  throw new LockageError(`LOCKAGE_LEASE takes 3 to 3600 seconds, not ${JSON.stringify(written)}`);
}
