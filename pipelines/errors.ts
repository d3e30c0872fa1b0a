import { printable } from './text/printable.ts';

/** The parts of an error besides its message. */
export interface ErrorOptions {
  /** further lines: problems, hosts, the last log lines */
  readonly details?: readonly string[];
  /** what to do, as a sentence with the command that helps */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An error that a user can act on: a fact with names and values, details below it, and the command that helps. By
 * itself it says that something was refused and nothing changed; the classes below say otherwise. Anything thrown that
 * is none of them is a bug of Lockage, and is shown with its stack.
 */
export class LockageError extends Error {
  readonly details: readonly string[];
  readonly hint: string | undefined;

  constructor(message: string, { details = [], hint, cause }: ErrorOptions = {}) {
    // Names and reasons in it may be somebody else's.
    super(message.split('\n').map(printable).join('\n'), cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.details = details;
    this.hint = hint;
  }
}

/** An operation that was refused before any of it was carried out: there is nothing to go back from. */
export class NotStartedError extends LockageError {}

/** An operation that the operator stopped before its first change: there is nothing to go back from. */
export class StoppedError extends NotStartedError {}

/** A lock that somebody else holds on the same thing: the same command can be tried again later. */
export class LockedError extends NotStartedError {}

/** A change whose basis is no longer what is recorded: it has to be made again, from what is recorded now. */
export class RecordChangedError extends LockedError {}

/** An operation that another one has overtaken: hosts refuse it, and it has changed nothing that serves. */
export class OvertakenError extends LockageError {}

/** A failure after which everything serves what it served before. */
export class RolledBackError extends LockageError {}

/** A container or service of the release that did not start, did not become healthy, or did not stay healthy. */
export class WorkloadFailedError extends RolledBackError {}

/** A failure that was not undone: the message says what runs where. */
export class BrokenError extends LockageError {}

/** A change that holds on some hosts only, which the details name. */
export class PartialError extends LockageError {}

/** An operation that the operator stopped; everything serves what it served before. */
export class InterruptedError extends LockageError {}

/** Returns whether an error says that something was refused and nothing changed. */
export function isRefusal(error: unknown): error is LockageError {
  return error instanceof NotStartedError || (error instanceof LockageError && error.constructor === LockageError);
}

/**
 * Returns whether an error has to pass unchanged: nothing was begun, or others decide by now, so there is nothing to take
 * back, to explain, or to record.
 */
export function passesUnchanged(error: unknown): error is LockageError {
  return error instanceof NotStartedError || error instanceof OvertakenError;
}

/** Returns the message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the details of anything that was thrown. */
export function detailsOf(error: unknown): readonly string[] {
  return error instanceof LockageError ? error.details : [];
}
