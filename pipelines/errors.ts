/** What an error says besides its message. */
export interface ErrorOptions {
  /** further lines: problems, hosts, the last log lines */
  readonly details?: readonly string[];
  /** what to do, as a sentence with the command that helps */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An error that a user can act on: a fact with names and values, details below it, and the command that helps. On its own
 * it says that something was refused and nothing changed; the classes below say what else is true. Anything that is thrown
 * and is none of them is a bug of Lockage, and is shown with its stack.
 */
export class LockageError extends Error {
  readonly details: readonly string[];
  readonly hint: string | undefined;

  constructor(message: string, { details = [], hint, cause }: ErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.details = details;
    this.hint = hint;
  }
}

/** An operation was turned away before anything of it was carried out: there is nothing to go back from. */
export class NotStartedError extends LockageError {}

/** Somebody else changes the same thing now: the same command can be tried again later. */
export class LockedError extends NotStartedError {}

/** Another operation has taken over the hosts: they refuse this one, which has changed nothing that serves. */
export class OvertakenError extends LockageError {}

/** It failed, and everything serves what it served before. */
export class RolledBackError extends LockageError {}

/** A container or service of the release did not start, did not become healthy, or did not stay so. */
export class WorkloadFailedError extends RolledBackError {}

/** It failed and was not undone: the message says what runs where. */
export class BrokenError extends LockageError {}

/** It holds on some hosts only, which the details name. */
export class PartialError extends LockageError {}

/** The operator stopped it, and everything serves what it served before. */
export class InterruptedError extends LockageError {}

/** Returns the message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the details of anything that was thrown. */
export function detailsOf(error: unknown): readonly string[] {
  return error instanceof LockageError ? error.details : [];
}
