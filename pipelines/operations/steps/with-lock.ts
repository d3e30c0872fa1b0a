import { LockedError, messageOf } from '../../errors.ts';
import type { Environment } from '../../model/environment.ts';
import type { Context } from '../ports.ts';

type Locking = Pick<Context, 'hosts' | 'terminal'>;

/** An environment, and why its lock is taken, for people who find it locked. */
export interface LockRequest {
  readonly environment: Environment;
  readonly purpose: string;
}

/**
 * Runs `work` while holding the environment's lock. A lock that cannot be let go of afterwards changes no outcome.
 * Throws LockedError, or what the work throws.
 */
export async function withEnvironmentLock<T>(
  { hosts, terminal }: Locking,
  { environment, purpose }: LockRequest,
  work: () => Promise<T>,
): Promise<T> {
  const unlock = await hosts.lock(environment, purpose);
  try {
    return await work();
  } finally {
    await unlock().catch((error: unknown) => {
      terminal.note(`${environment.name} stays locked on a host until its lease is over: ${messageOf(error)}`);
    });
  }
}

/** Does the same where all hosts may be dead: then nobody else can hold it there. */
export async function withEnvironmentLockIfReachable<T>(
  { hosts, terminal }: Locking,
  { environment, purpose }: LockRequest,
  work: () => Promise<T>,
): Promise<T> {
  const unlock = await hosts.lock(environment, purpose).catch((error: unknown) => {
    if (error instanceof LockedError) throw error;
    terminal.note(`the lock of ${environment.name} is not held: ${messageOf(error)}`);
  });
  try {
    return await work();
  } finally {
    await unlock?.().catch(() => undefined);
  }
}
