import { LockageError, ExitCode } from '../../pipelines/errors.ts';
import { openWorld, type GlobalOptions, type LiveWorld } from './open-context.ts';

/**
 * Runs a command's work with the world open, and closes its connections. An error is shown here, where secrets that the
 * command has read are masked; the exit code is set.
 */
export async function withWorld(
  options: GlobalOptions,
  signal: AbortSignal,
  work: (world: LiveWorld) => Promise<void>,
): Promise<void> {
  const world = await openWorld(options, signal);
  try {
    await work(world);
  } catch (error) {
    const known = signal.aborted && !(error instanceof LockageError) ? interrupted() : error;
    if (!(known instanceof LockageError)) throw error;
    world.terminal.error(known);
    process.exitCode = known.code;
  } finally {
    await world.connections.close();
  }
}

function interrupted(): LockageError {
  return new LockageError('interrupted: nothing was changed', { code: ExitCode.interrupted });
}
