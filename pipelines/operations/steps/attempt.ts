import { messageOf } from '../../errors.ts';
import type { DesiredState } from '../../model/desired-state.ts';
import { lastNumber, turnOf } from '../../model/fence.ts';
import type { HostReport } from '../../model/host-report.ts';
import { withAttempt } from '../../model/ledger.ts';
import type { Attempt, PlannedRevision } from '../../model/revision.ts';
import { recordedState } from '../../planning/recorded-state.ts';
import type { Context } from '../ports.ts';

/** Returns what is recorded of a revision before it is made. */
export function begun(revision: PlannedRevision): Attempt {
  const { number, release, kind, actor, startedAt, reason } = revision;
  return { number, release, kind, actor, startedAt, result: 'unfinished', ...(reason ? { reason } : {}) };
}

/** Returns what is recorded of a revision that was not made. */
export function failed(revision: PlannedRevision, why: string): Attempt {
  return { ...begun(revision), result: 'failed', reason: why };
}

/** An environment, and what is tried in it. */
export interface Trial {
  readonly environment: string;
  readonly revision: PlannedRevision;
  /** what the hosts in service said */
  readonly reports: readonly HostReport[];
}

/**
 * Carries out what comes before a deployment and may fail after it has changed something. That it is tried is recorded
 * before, and why it failed after. Throws what the work throws.
 */
export async function recordedAsAttempt<T>(context: Context, trial: Trial, work: () => Promise<T>): Promise<T> {
  await recordAttempt(context, trial, begun(trial.revision));
  return recordedIfFailed(context, trial, work);
}

/** The same where no revision comes of it: what goes well leaves no trace. */
export async function recordedIfFailed<T>(context: Context, trial: Trial, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await recordFailure(context, trial, error);
    throw error;
  }
}

async function recordFailure(context: Context, trial: Trial, error: unknown): Promise<void> {
  const why = context.signal.aborted ? 'interrupted' : context.secrets.mask(messageOf(error));
  await recordAttempt(context, trial, failed(trial.revision, why)).catch((second: unknown) => {
    context.terminal.note(`why it failed could not be recorded: ${messageOf(second)}`);
  });
}

async function recordAttempt(context: Context, trial: Trial, attempt: Attempt): Promise<void> {
  const state = await stateOf(context, trial);
  await context.stacks.recordAttempt({ ...state, attempts: withAttempt(state.attempts, attempt) });
}

async function stateOf(context: Context, { environment, reports }: Trial): Promise<DesiredState> {
  const record = await context.records.environment(environment);
  const { ledger } = record;
  const { app } = context.project;
  const operation = context.newOperation();
  const turn = turnOf({ revision: lastNumber(ledger), operation, ledger, reports });
  return recordedState({ app, environment }, record, ledger, { operation, turn });
}
