import { agoText } from '../text/moment.ts';
import type { Context } from './ports.ts';

/** The outcome of lifting the locks of records that all environments share. */
export type UnlockRecordsResult =
  { readonly outcome: 'not locked' } | { readonly outcome: 'unlocked'; readonly records: readonly string[] };

/**
 * Lifts the locks that the backend keeps of the records that all environments share, after a person has seen whose they are: these
 * have no lease, as there is no host whose clock could judge it. Throws LockageError.
 */
export async function unlockRecords(context: Context, _request: object): Promise<UnlockRecordsResult> {
  const locks = await context.records.locks();
  if (locks.length === 0) return { outcome: 'not locked' };
  for (const { record, holder } of locks) {
    const who =
      holder &&
      `${holder.user}@${holder.machine} (process ${holder.pid}) since ${agoText(holder.since, context.now())}`;
    context.terminal.note(who ? `${record} is locked by ${who}` : `${record}: the backend does not say by whom`);
  }
  await context.terminal.confirm(
    'Lift it? Whoever is at work on it still would write over what is recorded meanwhile.',
  );
  await context.records.liftLocks(locks);
  return { outcome: 'unlocked', records: [...new Set(locks.map(({ record }) => record))] };
}
