import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../pipelines/environment.ts';
import { LockageError } from '../pipelines/errors.ts';
import { HostKeyUnknownError } from './engine/connections.ts';

/** What a host said, or why it did not. */
export type Asked<T> = { readonly host: Host; readonly answer: T } | { readonly host: Host; readonly error: string };

/** Asks all hosts at once, each for that many milliseconds. Never throws for a host. */
export function askHosts<T>(
  hosts: readonly Host[],
  patience: number,
  ask: (host: Host, signal: AbortSignal) => Promise<T>,
): Promise<Asked<T>[]> {
  return Promise.all(hosts.map((host) => askHost(host, patience, ask)));
}

async function askHost<T>(
  host: Host,
  patience: number,
  ask: (host: Host, signal: AbortSignal) => Promise<T>,
): Promise<Asked<T>> {
  const over = new AbortController();
  // Each question to the host listens to it.
  setMaxListeners(0, over.signal);
  const late = sleep(patience, undefined, { signal: over.signal }).then(
    (): never => {
      throw new LockageError(`does not answer within ${patience / 1000} s`);
    },
    (): never => {
      throw new Error('answered');
    },
  );
  try {
    return { host, answer: await Promise.race([ask(host, over.signal), late]) };
  } catch (error) {
    const unknown = error instanceof HostKeyUnknownError ? ' (lockage host-key shows and pins it)' : '';
    return { host, error: `${error instanceof Error ? error.message : String(error)}${unknown}` };
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}
