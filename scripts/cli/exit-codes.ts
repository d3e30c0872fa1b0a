import { LockageError } from '../../pipelines/errors.ts';
import { exitCodeFor } from '../../pipelines/model/exit-code.ts';

export { ExitCode, exitCodeOfAll, exitCodeOfStopped } from '../../pipelines/model/exit-code.ts';

/** A program that a user ran in containers and that failed: its exit code becomes that of the command. */
export class ProgramError extends LockageError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, details: readonly string[]) {
    super(message, { details });
    this.exitCode = exitCode;
  }
}

/** Returns the exit code that says what an error means. */
export function exitCodeOf(error: LockageError): number {
  return error instanceof ProgramError ? error.exitCode : exitCodeFor(error);
}
