import { perform } from '../../../pipelines/operations/perform.ts';
import { waitOf, type Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { verifiedLines } from '../views/verification.ts';

/** Runs `lockage verify`. */
export async function verifyCommand(name: string, flags: Flags & { job?: string }, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, about: name }, signal, async (context) => {
    const request = { environment: name, ...(flags.job === undefined ? {} : { job: flags.job }) };
    const result = await perform(context, 'verify', request, waitOf(flags));
    context.terminal.result({ outcome: 'verified', ...result }, verifiedLines(result));
  });
}
