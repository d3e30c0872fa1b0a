import { goodRevisions } from './ledger.ts';
import type { Release } from './release.ts';
import type { Ledger } from './revision.ts';
import type { JobResult } from './verification.ts';

/** The number of revisions whose jobs' output stays recorded. */
const logsKept = 10;

/** Returns the last result of each job that was run against a release in an environment, by the job's name. */
export function resultsOf(ledger: Ledger, { digest }: Pick<Release, 'digest'>): ReadonlyMap<string, JobResult> {
  const revisions = goodRevisions(ledger).filter(({ release }) => release.digest === digest);
  const results = revisions.flatMap(({ verification = [] }) => verification);
  return new Map(results.map((result) => [result.job, result]));
}

/** Returns results with others, which take the place of earlier ones of the same job. */
export function withResults(before: readonly JobResult[] = [], added: readonly JobResult[]): readonly JobResult[] {
  const isNew = ({ job }: JobResult) => added.some((other) => other.job === job);
  return [...before.filter((result) => !isNew(result)), ...added];
}

/** Returns a ledger whose older results have no output any more: it would grow with every revision. */
export function withoutOldLogs(ledger: Ledger): Ledger {
  const verified = ledger.revisions.filter(({ verification }) => verification !== undefined);
  const old = new Set(verified.slice(0, -logsKept).map(({ number }) => number));
  if (old.size === 0) return ledger;
  const revisions = ledger.revisions.map((revision) =>
    old.has(revision.number) && revision.verification
      ? { ...revision, verification: revision.verification.map((result) => ({ ...result, log: [] })) }
      : revision,
  );
  return { ...ledger, revisions };
}
