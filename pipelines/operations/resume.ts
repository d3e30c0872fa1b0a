import { LockageError } from '../errors.ts';
import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import { counted } from '../model/fence.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Hold } from '../model/revision.ts';
import { refuseAhead } from '../policy/fence.ts';
import type { Context } from './ports.ts';
import { recordAgain } from './steps/record-again.ts';
import { refuseLost } from './steps/refuse-lost.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The environment whose hold is to be lifted. */
export interface ResumeRequest {
  readonly environment: string;
}

/** The outcome of a resume. */
export interface ResumeResult {
  readonly outcome: 'resumed' | 'not on hold';
  /** the hold that was lifted */
  readonly hold?: Hold;
}

/**
 * Lifts the hold that a rollback set; what runs stays as it is. Throws LockageError: refused, locked, or what kept the
 * record from being written, and the hold stands then.
 */
export async function resume(context: Context, request: ResumeRequest): Promise<ResumeResult> {
  const configured = environmentNamed(context.project, request.environment);
  const seen = await context.records.environment(configured.name);
  if (!seen.ledger.hold) {
    await refuseLost(context, configured, seen);
    return { outcome: 'not on hold' };
  }

  const environment = withoutPending(withoutCordoned(configured, seen.ledger));
  return withEnvironmentLock(context, { environment, purpose: 'resume' }, async () => {
    const record = await context.records.environment(environment.name);
    const { hold } = record.ledger;
    if (!hold) return { outcome: 'not on hold' };
    const reports = await context.hosts.look(environment);
    refuseAhead(environment, record, reports);
    const { hold: _, ...rest } = record.ledger;
    const ledger = counted({ ...rest, resumed: new Date(context.now()).toISOString() });
    await recordAgain(context, environment, { record, ledger, reports, message: 'resume' });
    const after = await context.records.environment(environment.name);
    if (after.ledger.hold) throw new LockageError(`the hold of ${environment.name} was not lifted`);
    return { outcome: 'resumed', hold };
  });
}
