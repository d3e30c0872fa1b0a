import { LockedError, messageOf } from '../../errors.ts';
import { withoutCordoned, withoutPending } from '../../model/cordons.ts';
import type { FoundLock } from '../../model/lock-holder.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import { agoText } from '../../text/moment.ts';
import type { Context } from '../ports.ts';

/** Milliseconds between two looks at a lock. */
const pause = 1000;

/** The lock that is waited for, and how long. */
export interface Waiting {
  readonly environment: string;
  /** milliseconds */
  readonly wait: number;
}

/**
 * Does the work once nobody holds the environment's lock, and the whole of it again when somebody else was quicker: so it
 * decides from what is recorded by then. It is told when the waiting was over (ms since 1970), where there was any. Throws
 * LockedError when the time is over, what the work throws, or what aborted.
 */
export async function whenUnlocked<T>(
  context: Context,
  { environment, wait }: Waiting,
  work: (freeAt: number | undefined) => Promise<T>,
): Promise<T> {
  const until = context.now() + wait;
  for (let waited = false; ; waited = true) {
    waited = (await untilFree(context, environment, until)) || waited;
    try {
      return await work(waited ? context.now() : undefined);
    } catch (error) {
      if (!(error instanceof LockedError) || context.now() >= until) throw error;
      context.terminal.waiting(`waiting: ${messageOf(error)}`);
      await context.pause(pause);
    }
  }
}

/** Returns whether there was anything to wait for. */
async function untilFree(context: Context, name: string, until: number): Promise<boolean> {
  for (let waited = false; ; waited = true) {
    if (context.now() >= until) return waited;
    const found = await lockOf(context, name);
    if (!found || (found.leaseLeft !== undefined && found.leaseLeft < 0)) return waited;
    context.terminal.waiting(waitingText(name, found, until, context.now()));
    await context.pause(pause);
  }
}

/** Returns who holds the lock. Where the hosts cannot be asked, the operation itself says why. */
async function lockOf(context: Context, name: string): Promise<FoundLock | undefined> {
  const environment = environmentNamed(context.project, name);
  const { ledger } = await context.records.environment(name);
  return context.hosts.lockHolder(withoutPending(withoutCordoned(environment, ledger))).catch(() => undefined);
}

function waitingText(name: string, { holder }: FoundLock, until: number, now: number): string {
  const { actor, since, purpose, pid, machine } = holder;
  const left = Math.ceil((until - now) / 1000);
  return `waiting for ${name}, locked by ${actor} ${agoText(since, now)}: ${purpose} (process ${pid} on ${machine}); ${left} s left`;
}
