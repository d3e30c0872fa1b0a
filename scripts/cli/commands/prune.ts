import { LockageError } from '../../../pipelines/errors.ts';
import { perform } from '../../../pipelines/operations/perform.ts';
import { ExitCode } from '../exit-codes.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { pruneLines } from '../views/pruning.ts';

/** Runs `lockage prune`. */
export async function pruneCommand(environment: string | undefined, flags: Flags, signal: AbortSignal): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    if (flags.wait !== undefined && environment === undefined)
      throw new LockageError('--wait is for one environment', { hint: 'Name it: `lockage prune ENV --wait`.' });
    const request = { ...(environment === undefined ? {} : { environment }), planOnly: flags.plan ?? false };
    const result = await perform(context, 'prune', request, waitOf(flags));
    context.terminal.result(result, pruneLines(result));
    if (result.failed.length > 0) process.exitCode = ExitCode.partial;
  });
}
