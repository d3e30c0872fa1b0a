import { LockageError, ExitCode } from '../../pipelines/errors.ts';
import { openContext, type GlobalOptions, type CommandContext } from './open-context.ts';

/**
 * Runs a command's work with the world open, and closes its connections. An error is shown here, where secrets that the
 * command has read are masked; the exit code is set.
 */
export async function runCommand(
  options: GlobalOptions,
  signal: AbortSignal,
  work: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const context = await openContext(options, signal);
  try {
    await work(context);
  } catch (error) {
    const known = signal.aborted && !(error instanceof LockageError) ? interrupted() : error;
    if (!(known instanceof LockageError)) throw error;
    context.terminal.error(known);
    process.exitCode = known.code;
  } finally {
    await context.connections.close();
  }
}

function interrupted(): LockageError {
  return new LockageError('interrupted: nothing was changed', { code: ExitCode.interrupted });
}
