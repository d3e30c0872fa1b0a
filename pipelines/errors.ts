/** Exit codes of the command line. Never 0 after something else happened than what was asked for. */
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
  /** somebody else holds the lock */
  locked: 75,
  interrupted: 130,
} as const;

/**
 * An error a user can act on: a fact with names and values, details below it, and the command that helps.
 * Anything else that is thrown is a bug of Lockage and shown with its stack.
 */
export class LockageError extends Error {
  readonly code: number;
  /** further lines: problems, hosts, the last log lines */
  readonly details: readonly string[];
  /** what to do, as a sentence or a command */
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: { code?: number; details?: readonly string[]; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LockageError';
    this.code = options.code ?? ExitCode.refused;
    this.details = options.details ?? [];
    this.hint = options.hint;
  }
}

/** An operation was turned away before anything of it was carried out: there is nothing to go back from. */
export class NotStartedError extends LockageError {}

/** Returns what a thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
