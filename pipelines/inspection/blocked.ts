import { blockOf, type Block } from '../model/block.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { runsWith, schemaOf } from '../model/schema.ts';
import { whenText } from '../text/moment.ts';
import type { EnvironmentStatus } from './status.ts';

/**
 * Returns the same where releases are blocked: to run one of them is a problem, and none is a way back. No release is whose code
 * does not run with the data of today.
 */
export function withBlocks(
  status: EnvironmentStatus,
  record: EnvironmentRecord,
  blocks: readonly Block[],
): EnvironmentStatus {
  const current = currentRevision(record.ledger)?.release;
  const blocked = current && blockOf(blocks, current);
  const byNumber = new Map(record.ledger.revisions.map(({ number, release }) => [number, release]));
  const data = schemaOf(record);
  const isOpen = ({ revision }: EnvironmentStatus['rollback'][number]) => {
    const release = byNumber.get(revision);
    return !release || (!blockOf(blocks, release) && runsWith(release, data));
  };
  const rollback = status.rollback.filter(isOpen);
  if (!blocked) return { ...status, rollback };
  return { ...status, rollback, blocked, problems: [...status.problems, blockProblem(status, blocked)] };
}

/** Says that an environment runs a blocked release, and what helps. */
export function blockProblem({ name, version }: EnvironmentStatus, { actor, since, reason }: Block): string {
  const who = `blocked since ${whenText(since)} by ${actor}: ${reason.split('\n')[0] ?? ''}`;
  return `${name} runs ${version}, which is ${who} (\`lockage rollback ${name}\` takes it back)`;
}
