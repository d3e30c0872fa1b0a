import type { Attempt, Ledger } from './revision.ts';

/** The mark of who may act on a host: the highest revision that it has seen, and the operation that makes it. */
export interface Fence {
  readonly revision: number;
  readonly operation: string;
  /** the highest revision that it knows to be recorded */
  readonly recorded: number;
}

/** Returns the highest revision that a host knows to be recorded: who makes one knows the one before. */
export function knownRevision({ recorded, revision }: Fence): number {
  return Math.max(recorded, revision - 1);
}

/**
 * The turn that every change of a host's routes carries. A host refuses a lower revision, and one that another
 * operation holds.
 */
export interface Turn extends Fence {
  /** operations that ended without a record, and are taken over */
  readonly over: readonly string[];
}

/** Returns the number of a ledger's last change, which is a revision or counts as one; 0 where nothing was ever changed. */
export function lastNumber({ revisions, changed = 0 }: Ledger): number {
  return Math.max(revisions.at(-1)?.number ?? 0, changed);
}

/** Returns a ledger that counts one more change, without a revision. */
export function counted(ledger: Ledger): Ledger {
  return { ...ledger, changed: lastNumber(ledger) + 1 };
}

/**
 * Returns the number of the last revision that a record knows. An attempt of which hosts know that it was recorded does not
 * count: the record is a copy from the time when it was tried.
 */
export function lastKnown(
  { ledger, pending = [] }: { readonly ledger: Ledger; readonly pending?: readonly Attempt[] },
  fences: readonly (Fence | undefined)[],
): number {
  const recorded = pending.filter(({ number, operation }) =>
    fences.some((fence) => fence?.operation === operation && number <= (fence?.recorded ?? 0)),
  );
  return Math.min(lastNumber(ledger), ...recorded.map(({ number }) => number - 1));
}

/** The inputs of a turn: the revision that is made, or the last one where what is recorded is declared again. */
export interface TurnInputs {
  readonly revision: number;
  readonly operation: string;
  readonly ledger: Ledger;
  /** what hosts said */
  readonly reports: readonly { readonly fence?: Fence }[];
}

/**
 * Returns the turn of an operation. What hosts hold that no record knows was left by operations that were killed. Where nothing is
 * to be counted, hosts go on knowing by whom the last change was recorded: `lastKnown` tells by that a copy from the middle of it.
 */
export function turnOf({ revision, operation, ledger, reports }: TurnInputs): Turn {
  const recorded = lastNumber(ledger);
  const held = reports.flatMap(({ fence }) => fence ?? []);
  const left = held.filter((fence) => fence.revision > recorded);
  const last = held.find((fence) => fence.revision === recorded && fence.recorded === recorded);
  return {
    revision: Math.max(revision, ...left.map((fence) => fence.revision)),
    operation: revision > recorded ? operation : (last?.operation ?? operation),
    recorded,
    over: [...new Set(left.map((fence) => fence.operation))],
  };
}

/** Returns the same turn once its revision is recorded. */
export function ended(turn: Turn): Turn {
  return { ...turn, recorded: turn.revision };
}

/** Returns the turn that makes hosts refuse whoever had the lock before, whatever it is about to do. */
export function claimOver(
  operation: string,
  { ledger }: Pick<TurnInputs, 'ledger'>,
  fences: readonly (Fence | undefined)[],
): Turn {
  const held = fences.filter((fence) => fence !== undefined);
  // Also who has an older copy of the state may keep somebody else from acting.
  const recorded = Math.max(lastNumber(ledger), ...held.map((fence) => fence.recorded));
  return {
    revision: Math.max(recorded + 1, ...held.map(({ revision }) => revision)),
    operation,
    recorded,
    over: [...new Set(held.map((fence) => fence.operation))],
  };
}

/** Returns the turn of an operation of a command whose claim hosts have, wherever that reached them. */
export function withClaim(turn: Turn, claim: Turn): Turn {
  return {
    ...turn,
    revision: Math.max(turn.revision, claim.revision),
    over: [...new Set([...turn.over, claim.operation, ...claim.over])],
  };
}
