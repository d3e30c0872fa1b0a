import { LockageError } from '../../../pipelines/errors.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage unlock`. */
export async function unlockCommand(
  environment: string | undefined,
  { records, ...flags }: Flags & { readonly records?: true },
  signal: AbortSignal,
): Promise<void> {
  const about = environment === undefined ? {} : { about: environment };
  await runCommand({ ...flags, ...about }, signal, async (context) => {
    if ((environment === undefined) !== (records ?? false))
      throw new LockageError('unlock takes an environment, or --records', {
        hint: '`lockage status` shows which environments are locked, and by whom.',
      });
    const result =
      environment === undefined
        ? await perform(context, 'unlockRecords', {})
        : await perform(context, 'unlock', { environment });
    const what = environment === undefined ? 'the records that all environments share' : environment;
    const verb = environment === undefined ? 'are' : 'is';
    const line =
      result.outcome === 'unlocked' ? `${what} ${verb} unlocked` : `${what} ${verb} not locked: nothing to do`;
    context.terminal.result(result, [line]);
  });
}
