import { LockageError, messageOf } from '../../errors.ts';
import type { Block } from '../../model/block.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Revision } from '../../model/revision.ts';
import { passedOver, rollbackTarget } from '../../planning/rollback-target.ts';
import type { Context } from '../ports.ts';

/** The way back that is searched. */
export interface WayBack {
  readonly environment: string;
  readonly record: EnvironmentRecord;
  /** a revision's number or a version; absent: the last good revision */
  readonly to: string | undefined;
  readonly blocks: readonly Block[];
}

/** Returns the revision to go back to, and says what it passes over. Throws LockageError when there is none. */
export function chooseTarget({ terminal }: Pick<Context, 'terminal'>, way: WayBack): Revision {
  const { environment, record, to, blocks } = way;
  const target = rollbackTarget(environment, record.ledger, to, blocks);
  if (to === undefined) for (const line of passedOver(record.ledger, target, blocks)) terminal.note(`not to ${line}`);
  return target;
}

/**
 * Returns what is blocked. Where that cannot be read nothing is, and a note says so: a damaged list must not keep an
 * environment from going back.
 */
export async function knownBlocks({
  records,
  terminal,
}: Pick<Context, 'records' | 'terminal'>): Promise<readonly Block[]> {
  try {
    return await records.blocks();
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    terminal.note(`it is not known which releases are blocked: ${messageOf(error)}`);
    return [];
  }
}
