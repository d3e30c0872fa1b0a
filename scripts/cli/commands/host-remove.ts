import { perform } from '../../../pipelines/operations/perform.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';

interface RemoveFlags extends Flags {
  readonly env: string;
  readonly gone?: boolean;
}

/** Runs `lockage host rm`. */
export async function hostRemoveCommand(host: string, flags: RemoveFlags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const gone = flags.gone === true;
    const result = await perform(context, 'removeHost', { environment: flags.env, host, gone }, waitOf(flags));
    const { environment, next } = result;
    const then = `${gone ? 'The record follows' : 'What it has goes'} with the next promotion: ${next}`;
    context.terminal.result(result, [
      `${host} is no target of ${environment} any more`,
      ...(next === undefined ? [] : [then]),
    ]);
  });
}
