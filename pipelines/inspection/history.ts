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
}

export interface History {
  readonly environment: string;
  readonly revisions: readonly ShownRevision[];
  /** how many older ones are also recorded */
  readonly older: number;
  readonly hold?: Hold;
}

/** Returns the newest `limit` revisions of an environment, newest first. */
export function historyOf(environment: string, { ledger }: EnvironmentRecord, limit: number): History {
  const current = currentRevision(ledger);
  const revisions = [...ledger.revisions]
    .reverse()
    .slice(0, limit)
    .map((revision) => ({
      ...revision,
      containers: revision.containers.map(({ env: _, ...shown }) => shown),
      current: revision.number === current?.number,
    }));
  return {
    environment,
    revisions,
    older: ledger.revisions.length - revisions.length,
    ...(ledger.hold ? { hold: ledger.hold } : {}),
  };
}

export interface ReleaseStatus extends Release {
  /** environments that run it, in pipeline order */
  readonly runs: readonly string[];
  /** environments where it ran well before, or was rolled back */
  readonly ran: readonly string[];
  /** environments where it was tried and never succeeded */
  readonly failed: readonly string[];
}

/** Returns releases, newest first, and how far each one came. `records` in pipeline order. */
export function releaseStatuses(
  releases: readonly Release[],
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
    return { ...release, ...where };
  });
}
