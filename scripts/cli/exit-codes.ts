import {
  BrokenError,
  InterruptedError,
  LockageError,
  LockedError,
  OvertakenError,
  PartialError,
  RolledBackError,
} from '../../pipelines/errors.ts';

/** Exit codes of the command line. 0 only if exactly what was asked for happened. */
export const ExitCode = {
  ok: 0,
  /** an error of the program itself */
  bug: 70,
  /** refused, nothing changed */
  refused: 2,
  /** failed and rolled back */
  rolledBack: 3,
  /** failed and not rolled back */
  broken: 4,
  /** only some hosts */
  partial: 5,
  /** somebody else holds the lock, or has taken over */
  locked: 75,
  interrupted: 130,
} as const;

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
  if (error instanceof ProgramError) return error.exitCode;
  if (error instanceof LockedError || error instanceof OvertakenError) return ExitCode.locked;
  if (error instanceof RolledBackError) return ExitCode.rolledBack;
  if (error instanceof BrokenError) return ExitCode.broken;
  if (error instanceof PartialError) return ExitCode.partial;
  return error instanceof InterruptedError ? ExitCode.interrupted : ExitCode.refused;
}
