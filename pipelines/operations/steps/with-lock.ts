import type { Environment } from '../../model/environment.ts';
import { ExitCode, LockageError } from '../../errors.ts';
import type { Context } from '../ports.ts';

type Locking = Pick<Context, 'hosts' | 'terminal'>;

/**
 * Works while the environment's lock is held. A lock that cannot be let go of afterwards changes no outcome.
 * Throws LockageError (locked), or what the work throws.
 */
export async function withEnvironmentLock<T>(
  context: Locking,
  environment: Environment,
  purpose: string,
  work: () => Promise<T>,
): Promise<T> {
  const unlock = await context.hosts.lock(environment, purpose);
  try {
    return await work();
  } finally {
    await unlock().catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      context.terminal.note(`${environment.name} stays locked until the next command from here: ${why}`);
    });
  }
}

/** The same where the host that the lock is on may be dead: then nobody else can hold it there. */
export async function withEnvironmentLockIfReachable<T>(
  context: Locking,
  environment: Environment,
  purpose: string,
  work: () => Promise<T>,
): Promise<T> {
  const unlock = await context.hosts.lock(environment, purpose).catch((error: unknown) => {
    if (error instanceof LockageError && error.code === ExitCode.locked) throw error;
    context.terminal.note(`the lock of ${environment.name} is not held: ${(error as Error).message}`);
  });
  try {
    return await work();
  } finally {
    await unlock?.().catch(() => undefined);
  }
}
