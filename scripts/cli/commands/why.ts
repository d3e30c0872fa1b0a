import { why } from '../../../pipelines/operations/why.ts';
import { ExitCode } from '../exit-codes.ts';
import type { Flags } from '../options.ts';
import { runCommand } from '../run-command.ts';
import { whyLines } from '../views/gates.ts';

/** Runs `lockage why`. */
export async function whyCommand(version: string, flags: Flags & { to: string }, signal: AbortSignal): Promise<void> {
  await runCommand({ ...flags, keyless: true }, signal, async (context) => {
    const result = await why(context, { version, environment: flags.to });
    if (!result.mayEnter) process.exitCode = ExitCode.refused;
    context.terminal.result(result, whyLines(result));
  });
}
