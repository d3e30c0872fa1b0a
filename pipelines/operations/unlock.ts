import { LockageError } from '../errors.ts';
import { withoutCordoned } from '../model/cordons.ts';
import type { LockHolder } from '../model/lock-holder.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { agoText } from '../text/moment.ts';
import type { Context } from './ports.ts';

/** The environment whose lock is to be lifted. */
export interface UnlockRequest {
  readonly environment: string;
}

/** The outcome of an unlock. */
export type UnlockResult =
  { readonly outcome: 'not locked' } | { readonly outcome: 'unlocked'; readonly holder: LockHolder };

/** Lifts the lock of somebody who is gone for good, after a person has seen who that is. Throws LockageError. */
export async function unlock(context: Context, request: UnlockRequest): Promise<UnlockResult> {
  const configured = environmentNamed(context.project, request.environment);
  const { ledger } = await context.records.environment(configured.name);
  const environment = withoutCordoned(configured, ledger);
  const found = await context.hosts.lockHolder(environment);
  if (!found) return { outcome: 'not locked' };
  const { holder } = found;
  const since = agoText(holder.since, context.now());
  context.terminal.note(
    `${environment.name} is locked by ${holder.actor} since ${since}: ${holder.purpose} (process ${holder.pid} on ${holder.machine})`,
  );
  await context.terminal.confirm('Lift it? Hosts refuse that operation from then on, and it may be left half-way.');
  if (!(await context.hosts.liftLock(environment, holder))) {
    throw new LockageError(`the lock of ${environment.name} changed hands meanwhile: nothing was lifted`, {
      hint: `Run \`lockage unlock ${environment.name}\` again to see who holds it now.`,
    });
  }
  return { outcome: 'unlocked', holder };
}
