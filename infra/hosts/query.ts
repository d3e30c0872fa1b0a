import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import type { Target } from '../../pipelines/model/target.ts';
import { HostKeyUnknownError } from '../docker/connections.ts';

/** The answer of a host, or the error instead. */
export type HostResult<T> =
  { readonly host: Target; readonly answer: T } | { readonly host: Target; readonly error: string };

/** The time limits for a host's answer, in milliseconds. */
export interface Timeouts {
  /** until its first sign of life: a person wants to see something soon, also when a host is dead */
  readonly first: number;
  /** for its whole answer, once it has given a sign of life; as long as `first` by default */
  readonly total?: number;
}

/** A callback for the first answer of a host: it is not dead, only slow. */
type OnFirstAnswer = () => void;

/** Asks all hosts at once. Never throws for a host. */
export function queryHosts<T>(
  hosts: readonly Target[],
  timeouts: Timeouts,
  ask: (host: Target, signal: AbortSignal, heard: OnFirstAnswer) => Promise<T>,
): Promise<HostResult<T>[]> {
  return Promise.all(hosts.map((host) => queryHost(host, timeouts, ask)));
}

async function queryHost<T>(
  host: Target,
  { first, total = first }: Timeouts,
  ask: (host: Target, signal: AbortSignal, heard: OnFirstAnswer) => Promise<T>,
): Promise<HostResult<T>> {
  const over = new AbortController();
  // Each request to the host listens to it.
  setMaxListeners(0, over.signal);
  let alive = false;
  const late = async (): Promise<never> => {
    await sleep(first, undefined, { signal: over.signal });
    if (alive) await sleep(total - first, undefined, { signal: over.signal });
    throw new LockageError(`does not answer within ${(alive ? total : first) / 1000} s`);
  };
  const lateness = late();
  // It ends with the query, and nothing waits for it any more.
  lateness.catch(() => undefined);
  try {
    return { host, answer: await Promise.race([ask(host, over.signal, () => (alive = true)), lateness]) };
  } catch (error) {
    const unknown = error instanceof HostKeyUnknownError ? ' (lockage host-key shows and pins it)' : '';
    return { host, error: `${messageOf(error)}${unknown}` };
  } finally {
    over.abort();
  }
}
