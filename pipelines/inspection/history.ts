import { blockOf, type Block, type ReleaseList } from '../model/block.ts';
import type { ContainerSpec } from '../model/container-spec.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { Hold, Revision } from '../model/revision.ts';

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

/** Returns the newest `limit` revisions of an environment, newest first. */
export function historyOf(environment: string, { record: { ledger }, blocks }: HistoryFacts, limit: number): History {
  const current = currentRevision(ledger);
  const revisions = [...ledger.revisions]
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
    older: ledger.revisions.length - revisions.length,
    ...(ledger.hold ? { hold: ledger.hold } : {}),
  };
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
