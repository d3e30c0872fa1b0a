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
  for (const { record, holder, since } of locks) {
    const ago = since === undefined ? '' : ` since ${agoText(since, context.now())}`;
    context.terminal.note(
      holder === undefined ? `${record}: the backend does not say by whom` : `${record} is locked by ${holder}${ago}`,
    );
  }
  await context.terminal.confirm(
    'Lift it? Whoever is at work on it still would write over what is recorded meanwhile.',
  );
  const records = locks.map(({ record }) => record);
  await context.records.liftLocks(records);
  return { outcome: 'unlocked', records };
}
