import { systemError } from '../../infra/system/system-error.ts';
import { InterruptedError, LockageError } from '../../pipelines/errors.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { openContext, type CommandContext, type GlobalOptions } from './open-context.ts';

/**
 * Runs a command with a context, and closes its connections. An error is shown here, where secrets that the command has
 * read are masked; the exit code is set.
 */
export async function runCommand(
  options: GlobalOptions,
  signal: AbortSignal,
  work: (context: CommandContext) => Promise<void>,
): Promise<void> {
  await runIn(await openContext(options, signal), work);
}

/** Runs a command as `runCommand` does, in a context that is open. */
export async function runIn(context: CommandContext, work: (context: CommandContext) => Promise<void>): Promise<void> {
  const { signal } = context;
  try {
    await work(context);
  } catch (thrown) {
    const error = systemError(thrown) ?? thrown;
    const known = signal.aborted && !(error instanceof LockageError) ? new InterruptedError('interrupted') : error;
    if (known instanceof LockageError) context.terminal.error(known);
    else context.terminal.bug(known);
    process.exitCode = known instanceof LockageError ? exitCodeOf(known) : ExitCode.bug;
  } finally {
    await context.observers?.settled();
    await context.connections.close();
  }
}
