import { LockageError } from '../errors.ts';
import { blockOf, type Block } from '../model/block.ts';
import { completed, currentRevision, goodRevisions, rollbackCandidates } from '../model/ledger.ts';
import type { Ledger, Revision } from '../model/revision.ts';
import { blockText } from '../policy/gates.ts';

/**
 * Returns the revision to go back to: the one that `to` names by its number or version, else the last good one; one of a
 * blocked release was found to be no good one. Throws LockageError when there is none, or when what `to` names is blocked.
 */
export function rollbackTarget(
  environment: string,
  ledger: Ledger,
  to?: string,
  blocks: readonly Block[] = [],
): Revision {
  if (to === undefined) return lastGood(environment, ledger, blocks);
  const candidates = rollbackCandidates(ledger);
  const current = currentRevision(ledger);
  const found = goodRevisions(ledger).findLast(
    ({ number, release }) => String(number) === to || release.version === to,
  );
  if (found && current && found.number === current.number) {
    throw new LockageError(`${environment} runs ${to} already (revision ${current.number})`);
  }
  if (found && blockOf(blocks, found.release)) {
    const { number, release } = found;
    throw new LockageError(`${environment} does not go back to ${release.version} (revision ${number})`, {
      details: blockedLines([found], blocks),
      hint: `Go back to another one, or run \`lockage unblock ${release.version}\` first.`,
    });
  }
  if (found) return completed(ledger, found);
  throw new LockageError(`${environment} has no good revision ${to}`, {
    details: candidates.map(({ number, release }) => `revision ${number}: ${release.version}`),
    hint: `Run \`lockage history ${environment}\` to see them all.`,
  });
}

function lastGood(environment: string, ledger: Ledger, blocks: readonly Block[]): Revision {
  const candidates = rollbackCandidates(ledger);
  const target = candidates.find(({ release }) => !blockOf(blocks, release));
  if (target) return target;
  const current = currentRevision(ledger);
  const [blocked] = candidates;
  if (!blocked) {
    throw new LockageError(`${environment} has no earlier good revision to go back to`, {
      details: current ? [`it runs ${current.release.version} (revision ${current.number})`] : ['nothing runs in it'],
    });
  }
  throw new LockageError(`all earlier good revisions of ${environment} are of blocked releases`, {
    details: blockedLines(candidates, blocks),
    hint: `Promote another release, or run \`lockage unblock ${blocked.release.version}\` first.`,
  });
}

/** Returns the good revisions that a rollback passes over on its way, as their releases are blocked: one line each. */
export function passedOver(ledger: Ledger, target: Revision, blocks: readonly Block[]): string[] {
  const candidates = rollbackCandidates(ledger);
  const index = candidates.findIndex(({ number }) => number === target.number);
  return blockedLines(candidates.slice(0, Math.max(0, index)), blocks);
}

function blockedLines(revisions: readonly Revision[], blocks: readonly Block[]): string[] {
  return revisions.flatMap(({ number, release }) => {
    const block = blockOf(blocks, release);
    return block ? [`revision ${number}: ${blockText(block, release)}`] : [];
  });
}
