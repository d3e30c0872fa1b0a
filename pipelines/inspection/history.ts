import { LockageError } from '../errors.ts';
import { blockOf, type Block, type ReleaseList } from '../model/block.ts';
import type { ContainerSpec } from '../model/container-spec.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { Hold, Ledger, Revision } from '../model/revision.ts';

/** A container spec without the values of its environment variables. */
type ShownSpec = Omit<ContainerSpec, 'env'>;

export interface ShownRevision extends Omit<Revision, 'containers'> {
  readonly containers: readonly ShownSpec[];
  /** it is the revision that runs */
  readonly current: boolean;
  /** its release is blocked */
  readonly blocked?: Block;
}

export interface History {
  readonly environment: string;
  readonly revisions: readonly ShownRevision[];
  /** how many older ones are also recorded */
  readonly older: number;
  readonly hold?: Hold;
}

/** The things that a history is made of. */
export interface HistoryFacts {
  readonly record: EnvironmentRecord;
  readonly blocks: readonly Block[];
}

/** The part of a history that is shown: its newest `limit` revisions, or the one of that number. */
export interface HistoryPart {
  readonly limit: number;
  readonly number?: number | undefined;
}

/** Returns revisions of an environment, newest first. Throws LockageError when there is none of that number. */
export function historyOf(
  environment: string,
  { record: { ledger }, blocks }: HistoryFacts,
  { limit, number }: HistoryPart,
): History {
  const current = currentRevision(ledger);
  const wanted = number === undefined ? ledger.revisions : [revisionNumbered(environment, ledger, number)];
  const revisions = [...wanted]
    .reverse()
    .slice(0, limit)
    .map((revision) => ({
      ...revision,
      containers: revision.containers.map(({ env: _, ...shown }) => shown),
      current: revision.number === current?.number,
      ...blockedBy(blocks, revision.release),
    }));
  return {
    environment,
    revisions,
    older: number === undefined ? ledger.revisions.length - revisions.length : 0,
    ...(ledger.hold ? { hold: ledger.hold } : {}),
  };
}

function revisionNumbered(environment: string, { revisions }: Ledger, number: number): Revision {
  const found = revisions.find((revision) => revision.number === number);
  if (found) return found;
  const known = revisions.map((revision) => revision.number);
  throw new LockageError(`there is no revision ${number} of ${environment}`, {
    ...(known.length === 0 ? {} : { details: [`recorded are ${known.join(', ')}`] }),
    hint: `Run \`lockage history ${environment}\`.`,
  });
}

function blockedBy(blocks: readonly Block[], release: Release): { readonly blocked?: Block } {
  const blocked = blockOf(blocks, release);
  return blocked ? { blocked } : {};
}

export interface ReleaseStatus extends Release {
  /** environments that run it, in pipeline order */
  readonly runs: readonly string[];
  /** environments where it ran well before, or was rolled back */
  readonly ran: readonly string[];
  /** environments where it was tried and never succeeded */
  readonly failed: readonly string[];
  /** it enters no environment */
  readonly blocked?: Block;
}

/** Returns releases, newest first, and how far each one came. `records` in pipeline order. */
export function releaseStatuses(
  { releases, blocks }: ReleaseList,
  records: readonly (readonly [environment: string, record: EnvironmentRecord])[],
): ReleaseStatus[] {
  return [...releases].reverse().map((release) => {
    const where: Record<'runs' | 'ran' | 'failed', string[]> = { runs: [], ran: [], failed: [] };
    for (const [environment, { ledger }] of records) {
      const mine = ledger.revisions.filter((revision) => revision.release.version === release.version);
      if (mine.length === 0) continue;
      const runs = currentRevision(ledger)?.release.version === release.version;
      const ran = mine.some(({ result }) => result === 'succeeded');
      where[runs ? 'runs' : ran ? 'ran' : 'failed'].push(environment);
    }
    return { ...release, ...where, ...blockedBy(blocks, release) };
  });
}
