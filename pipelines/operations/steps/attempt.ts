import { LockedError, messageOf, OvertakenError } from '../../errors.ts';
import type { Turn } from '../../model/fence.ts';
import type { HostReport } from '../../model/host-report.ts';
import { withAttempt, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Attempt, PlannedRevision } from '../../model/revision.ts';
import type { Context } from '../ports.ts';
import { stateNow } from './turn-now.ts';

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
  /** what it was decided from */
  readonly record: EnvironmentRecord;
  readonly revision: PlannedRevision;
  /** what the hosts in service said */
  readonly reports: readonly HostReport[];
  /** as whom hosts know it: what it records before must not be somebody else's to what it deploys then */
  readonly turn: Turn;
}

/**
 * Carries out what comes before a deployment and may fail after it has changed something. That it is tried is recorded
 * before, and why it failed after. Returns the mark of what is recorded then. Throws RecordChangedError when the record is
 * another one by now, or what the work throws.
 */
export async function recordedAsAttempt(context: Context, trial: Trial, work: () => Promise<void>): Promise<string> {
  await recordAttempt(context, trial, begun(trial.revision));
  const { basis } = await context.records.environment(trial.environment);
  await recordedIfFailed(context, trial, work);
  return basis;
}

/** Records an attempt that fails, where no revision comes of it: what goes well leaves no trace. */
export async function recordedIfFailed(context: Context, trial: Trial, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // Whoever has taken over, or keeps others out, decides what is recorded.
    const isTheirs = error instanceof OvertakenError || error instanceof LockedError;
    if (!isTheirs) await recordFailure(context, trial, error);
    throw error;
  }
}

async function recordFailure(context: Context, trial: Trial, error: unknown): Promise<void> {
  const why = context.signal.aborted ? 'interrupted' : context.secrets.mask(messageOf(error));
  try {
    const record = await context.records.environment(trial.environment);
    await recordAttempt(context, { ...trial, record }, failed(trial.revision, why));
  } catch (second) {
    context.terminal.note(`why it failed could not be recorded: ${messageOf(second)}`);
  }
}

async function recordAttempt(context: Context, trial: Trial, attempt: Attempt): Promise<void> {
  const { environment, record, reports, turn } = trial;
  const state = stateNow(context, environment, { record, ledger: record.ledger, reports });
  await context.stacks.recordAttempt({ ...state, turn, attempts: withAttempt(state.attempts, attempt) });
}
