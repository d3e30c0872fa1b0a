import { LockageError } from '../errors.ts';
import { withoutCordoned } from '../model/cordons.ts';
import type { DesiredState } from '../model/desired-state.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Hold } from '../model/revision.ts';
import { recordedState } from '../planning/recorded-state.ts';
import type { Context } from './ports.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** Whose hold is to be lifted. */
export interface ResumeRequest {
  readonly environment: string;
}

/** How it ended. */
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
  const { ledger } = await context.records.environment(configured.name);
  if (!ledger.hold) return { outcome: 'not on hold' };

  const environment = withoutCordoned(configured, ledger);
  return withEnvironmentLock(context, { environment, purpose: 'resume' }, async () => {
    const record = await context.records.environment(environment.name);
    const { hold } = record.ledger;
    if (!hold) return { outcome: 'not on hold' };
    await context.stacks.deploy(withoutHold(context, environment.name, record), 'resume');
    const after = await context.records.environment(environment.name);
    if (after.ledger.hold) throw new LockageError(`the hold of ${environment.name} was not lifted`);
    return { outcome: 'resumed', hold };
  });
}

/** What runs now, recorded without the hold. */
function withoutHold(context: Context, environment: string, record: EnvironmentRecord): DesiredState {
  const { hold: _, ...ledger } = record.ledger;
  const place = { app: context.project.app, environment };
  return recordedState(place, record, ledger, { operation: context.newOperation() });
}
