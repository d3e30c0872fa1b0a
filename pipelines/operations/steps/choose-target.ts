import { LockageError, messageOf } from '../../errors.ts';
import type { Block } from '../../model/block.ts';
import type { Environment } from '../../model/environment.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { Revision } from '../../model/revision.ts';
import { passedOver, rollbackTarget } from '../../planning/rollback-target.ts';
import { refuseSchema } from '../../policy/schema.ts';
import type { Context } from '../ports.ts';
import { refuseLost } from './refuse-lost.ts';

/** The way back that is searched. */
export interface WayBack {
  /** with its cordoned hosts */
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  /** a revision's number or a version; absent: the last good revision */
  readonly to: string | undefined;
  readonly blocks: readonly Block[];
  /** why it goes there although its code may not run with the data */
  readonly forceSchema?: string | undefined;
}

/**
 * Returns the revision to go back to, and says what it passes over. Throws LockageError when there is none, or its code does
 * not run with the data; where hosts know more than the state, that is said instead.
 */
export async function chooseTarget(context: Context, way: WayBack): Promise<Revision> {
  try {
    return targetOf(context, way);
  } catch (error) {
    // Asked here alone: hosts are not waited for while there is a way back.
    await refuseLost(context, way.environment, way.record);
    throw error;
  }
}

function targetOf({ terminal }: Pick<Context, 'terminal'>, way: WayBack): Revision {
  const { environment, record, to, blocks, forceSchema } = way;
  const { name } = environment;
  const target = rollbackTarget(name, record.ledger, to, blocks);
  if (to === undefined) for (const line of passedOver(record.ledger, target, blocks)) terminal.note(`not to ${line}`);
  refuseSchema({ environment: name, release: target.release, record, force: forceSchema });
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
