import {
  BrokenError,
  InterruptedError,
  LockageError,
  LockedError,
  OvertakenError,
  PartialError,
  RolledBackError,
} from '../errors.ts';

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

/**
 * Returns the exit code of the command of an operation that did not fail. A promotion may have left cordoned hosts out, and a
 * pruning things that could not be removed; whoever takes back or mends has done what was asked for.
 */
export function exitCodeOfResult(operation: string, result: unknown): number {
  const { revision, failed } = Object(result) as { revision?: { without?: unknown }; failed?: readonly unknown[] };
  const isPartial =
    (operation === 'promote' && revision?.without !== undefined) ||
    (operation === 'prune' && failed !== undefined && failed.length > 0);
  return isPartial ? ExitCode.partial : ExitCode.ok;
}

/** The codes of failures, from the one that a person has to look at first. */
const byUrgency: readonly number[] = [
  ...[ExitCode.broken, ExitCode.partial, ExitCode.rolledBack, ExitCode.refused, ExitCode.locked],
];

/** Returns the exit code of a command that did several things, of which these failed. */
export function exitCodeOfAll(failures: readonly number[]): number {
  return byUrgency.find((code) => failures.includes(code)) ?? failures[0] ?? ExitCode.ok;
}

/** The same of one that the operator has stopped in the middle: what is left broken, or in part, is no less so for that. */
export function exitCodeOfStopped(failures: readonly number[]): number {
  const worst = exitCodeOfAll(failures);
  return worst === ExitCode.broken || worst === ExitCode.partial ? worst : ExitCode.interrupted;
}

/** Returns the exit code that says what anything that was thrown means. */
export function exitCodeFor(error: unknown): number {
  if (!(error instanceof LockageError)) return ExitCode.bug;
  if (error instanceof LockedError || error instanceof OvertakenError) return ExitCode.locked;
  if (error instanceof RolledBackError) return ExitCode.rolledBack;
  if (error instanceof BrokenError) return ExitCode.broken;
  if (error instanceof PartialError) return ExitCode.partial;
  return error instanceof InterruptedError ? ExitCode.interrupted : ExitCode.refused;
}
