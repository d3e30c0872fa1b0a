import { perform } from '../../../pipelines/operations/perform.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

/** Runs `lockage unlock`. */
export async function unlockCommand(environment: string, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, about: environment }, signal, async (context) => {
    const result = await perform(context, 'unlock', { environment });
    const line =
      result.outcome === 'unlocked' ? `${environment} is unlocked` : `${environment} is not locked: nothing to do`;
    context.terminal.result(result, [line]);
  });
}
