import { LockageError, messageOf } from '../../pipelines/errors.ts';
import type { Target } from '../../pipelines/model/target.ts';

/**
 * Returns the results of all hosts. Throws LockageError that names each host that failed and why, in the order of the
 * hosts.
 */
export function allOf<T>(
  hosts: readonly Target[],
  results: readonly PromiseSettledResult<T>[],
  what: (failed: number) => string,
): T[] {
  const failed = results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ host: hosts[index], reason: result.reason as unknown }] : [],
  );
  if (failed.length > 0) {
    const hint = failed.map(({ reason }) => (reason instanceof LockageError ? reason.hint : undefined)).find(Boolean);
    const details = failed.map(({ host, reason }) => problemOf(host, reason));
    throw new LockageError(what(failed.length), { details, ...(hint ? { hint } : {}) });
  }
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

function problemOf(host: Target | undefined, error: unknown): string {
  const message = messageOf(error);
  const name = host?.name ?? '';
  return message.startsWith(`${name}:`) ? message : `${name}: ${message}`;
}
