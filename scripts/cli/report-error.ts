import { LockageError } from '../../pipelines/errors.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';
import { ConsoleTerminal, print } from './terminal.ts';

/**
 * Prints an error and returns the exit code. A user's mistake has no stack trace; a bug of ours shows one. The text of
 * an error never holds a secret's value: where it could, it was masked when the error was made.
 */
export function reportError(error: unknown, json: boolean): number {
  if (error instanceof LockageError) {
    new ConsoleTerminal({ json, yes: false, redact: (text) => text }).error(error);
    return exitCodeOf(error);
  }
  print(error instanceof Error ? (error.stack ?? error.message) : String(error), 'stderr');
  print('This is a bug of Lockage. Please report it with the lines above.', 'stderr');
  return ExitCode.bug;
}
