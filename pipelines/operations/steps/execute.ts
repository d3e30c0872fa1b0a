import {
  BrokenError,
  detailsOf,
  InterruptedError,
  messageOf,
  NotStartedError,
  OvertakenError,
  PartialError,
  RolledBackError,
  type LockageError,
} from '../../errors.ts';
import { restsAsStandby } from '../../model/container-spec.ts';
import { samePlace, type DesiredState } from '../../model/desired-state.ts';
import { currentRevision, withAttempt, withRevision, type EnvironmentRecord } from '../../model/ledger.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import type { Attempt, PlannedRevision, Revision } from '../../model/revision.ts';
import { withSchema } from '../../model/schema.ts';
import { VerificationFailedError } from '../../model/verification-failed.ts';
import { recordedState } from '../../planning/recorded-state.ts';
import type { Context } from '../ports.ts';
import { begun, failed } from './attempt.ts';
import { cordonedAgain } from './cordoned-again.ts';
import { leadBack } from './lead-back.ts';
import { askWhetherServed, verifyBack, type BackResult } from './verify-back.ts';

/** A change of an environment, decided and ready to be carried out. */
export interface Operation {
  readonly desired: DesiredState;
  /** what was recorded before */
  readonly before: EnvironmentRecord;
  readonly revision: PlannedRevision;
  /** milliseconds since 1970 */
  readonly startedAt: number;
  /** the traffic was moved before, so that this only makes the state agree */
  readonly switched?: boolean;
  /** networks, edges or accessories were changed for it before */
  readonly hasOtherFoundation?: boolean;
}

/**
 * Carries out an operation behind the barrier and records it. When it fails, everything goes back to what served before,
 * and the failure is recorded: throws RolledBackError, or BrokenError if going back failed too. Traffic that was moved
 * before stays where it is: throws BrokenError.
 */
export async function execute(context: Context, operation: Operation): Promise<Revision> {
  const { desired, startedAt } = operation;
  const message = `${operation.revision.kind} ${operation.revision.release.version}`;
  const succeeded: Revision = { ...operation.revision, result: 'succeeded', duration: 0 };
  context.terminal.step('deploy', message);
  const otherwise = await servedOtherwise(context, operation);
  try {
    const ledger = withRevision(withSchema(desired.ledger, operation.before), succeeded);
    const attempt = { ...begun(operation.revision), operation: desired.operation, ...dumpsOf(operation) };
    const attempts = withAttempt(desired.attempts, attempt);
    await context.stacks.deploy({ ...desired, attempts, startedAt, ledger }, message);
    return { ...succeeded, duration: context.now() - startedAt };
  } catch (error) {
    // Whoever has taken over decides what serves: nothing is taken back, and nothing recorded.
    if (error instanceof OvertakenError && !operation.switched) throw error;
    if (await wasRecorded(context, operation)) {
      context.terminal.note(`${message} is done; cleaning up after it was not possible: ${messageOf(error)}`);
      return succeeded;
    }
    if (operation.switched) throw notRecorded(operation, error);
    if (error instanceof NotStartedError) throw error;
    throw await revert(context, operation, error, otherwise);
  }
}

/** Returns the dumps that were taken for an operation: they are known as soon as its migration may begin. */
function dumpsOf({ desired, revision }: Operation): Pick<Attempt, 'dumps'> {
  const dumps = desired.ledger.dumps?.filter((each) => each.revision === revision.number) ?? [];
  return dumps.length > 0 ? { dumps } : {};
}

/**
 * Returns whether the revision was recorded. The record is written before what is not needed any more is removed: a
 * failure after it is not one of the release.
 */
async function wasRecorded(context: Context, { desired, revision }: Operation): Promise<boolean> {
  // A backend that does not answer now must not keep what serves from being put back.
  const record = await context.records.environment(desired.environment).catch(() => undefined);
  const current = record && currentRevision(record.ledger);
  const { number, startedAt, actor } = revision;
  return current?.number === number && current.startedAt === startedAt && current.actor === actor;
}

/**
 * Makes the error for a switch that was not recorded. To switch once more, to the release that somebody has just
 * rolled back from, would be the worst that could be done.
 */
function notRecorded({ desired, revision }: Operation, error: unknown): LockageError {
  const { version } = revision.release;
  const what = `${desired.environment} serves ${version} on all hosts, but it could not be recorded`;
  return new BrokenError(`${what}: ${messageOf(error)}`, {
    details: detailsOf(error),
    hint: `Run the same command again once the cause is gone: it records what runs.`,
    cause: error,
  });
}

/**
 * Returns how hosts differ from what is recorded, which is put back when an operation fails: before a repair, and after an operation
 * that was killed.
 */
async function servedOtherwise(
  context: Context,
  { desired, before, revision, switched }: Operation,
): Promise<readonly string[]> {
  // The traffic was moved, and nothing of it is put back.
  if (switched) return [];
  if (revision.kind !== 'repair' && (before.pending ?? []).length === 0) return [];
  const { app, environment, operation, turn } = desired;
  const recorded = recordedState({ app, environment }, before, before.ledger, { operation, turn });
  return (await askWhetherServed(context, recorded)).faults;
}

/** Puts back what served before, and returns the error that says so. `otherwise`: how that was not what is recorded. */
async function revert(
  context: Context,
  operation: Operation,
  error: unknown,
  otherwise: readonly string[],
): Promise<LockageError> {
  const { desired } = operation;
  const why = context.signal.aborted ? 'interrupted' : messageOf(error);
  context.terminal.step('go back', why);
  const aside = cordonedAgain(operation);
  let back: DesiredState;
  try {
    if (aside) await setAside(context, desired, aside);
    back = await deployBefore(context, operation, { why, error });
  } catch (second) {
    if (second instanceof PartialError) return leftInPart(operation, { why, error, second });
    const result = await leadBack(context, operation, second, aside);
    return notReverted(operation, { why, error, second }, result);
  }
  const result = await verifyBack(context, back, aside, desired.stopFirst?.roles);
  if (result.back !== 'everywhere') return notAsBefore(operation, { why, error, result });
  if (otherwise.length > 0) return asRecorded(operation, { why, error, otherwise });
  return reverted(context, operation, {
    why,
    error,
    details: [
      standsAsBefore(operation),
      ...(operation.hasOtherFoundation ? ['networks, edges and accessories stay as they are configured now'] : []),
    ],
    hint: `Run \`lockage history ${operation.desired.environment}\` to see what was tried.`,
  });
}

/**
 * Leads the traffic of hosts that are cordoned again away from what goes next, and lets rest what rested there: what goes back
 * elsewhere does not reach them. What cannot be done is found by asking.
 */
async function setAside(context: Context, desired: DesiredState, aside: DesiredState): Promise<void> {
  await context.hosts.switchNow(aside).catch(() => undefined);
  const hosts = new Set(aside.serving.map(({ host }) => host.name));
  const woken = desired.wake.filter(({ host, spec }) => hosts.has(host.name) && restsAsStandby(spec));
  if (woken.length === 0) return;
  const environment = environmentNamed(context.project, desired.environment);
  await context.hosts.startAndStop(environment, [], woken).catch(() => undefined);
}

/** Returns what was put back. */
async function deployBefore(
  context: Context,
  operation: Operation,
  { why, error }: Omit<Failure, 'second'>,
): Promise<DesiredState> {
  const { desired, before, revision, startedAt } = operation;
  const { app, environment } = desired;
  // What was made to take over may be what died: it goes as a whole, and nothing is asked of it.
  if (desired.handover) await context.machines.reconcile(environment);
  const now = await context.records.environment(environment);
  // Only what was there before: containers that this operation made may be what failed.
  const containers = now.containers.filter((placed) => before.containers.some((other) => samePlace(other, placed)));
  const place = { app, environment };
  const back = recordedState(place, { ...now, containers }, before.ledger, {
    operation: context.newOperation(),
    turn: desired.turn,
  });
  // Known from the start, as going back may not come to its end.
  const reason = context.secrets.mask(why);
  const attempts = withAttempt(back.attempts, { ...failed(revision, reason), ...dumpsOf(operation) });
  const results = error instanceof VerificationFailedError ? { verification: error.results } : {};
  const ledger = withRevision(withSchema(before.ledger, now), {
    ...revision,
    result: 'failed',
    duration: 0,
    reason,
    ...results,
  });
  await context.stacks.deploy({ ...back, attempts, ledger, startedAt }, `go back from ${revision.release.version}`);
  return back;
}

interface Failure {
  readonly why: string;
  readonly error: unknown;
  /** what failed when going back */
  readonly second: unknown;
}

/**
 * Says how hosts are left. Those that answer serve what they did. One that does not takes a switch back that nobody
 * confirmed to it; where one was confirmed to some, it may go on with it.
 */
function leftInPart(operation: Operation, { why, error, second }: Failure): LockageError {
  const { desired, revision } = operation;
  const { version } = revision.release;
  return new PartialError(
    `${version} failed in ${desired.environment}, and not all hosts are known to be back: ${why}`,
    {
      details: [
        ...detailsOf(error),
        ...(error instanceof PartialError ? [] : [`${standsAsBefore(operation)}, where hosts answer`]),
        ...detailsOf(second).map((text) => `left as it is: ${text}`),
      ],
      hint: `Run \`lockage status\` to see what runs where, then the same command again when these hosts answer.`,
      cause: error,
    },
  );
}

/** Makes the error for what was put back, was asked for afterwards, and is not there. */
function notAsBefore(
  { desired, revision }: Operation,
  { why, error, result }: Omit<Failure, 'second'> & { readonly result: BackResult },
): LockageError {
  const Kind = result.back === 'nowhere' ? BrokenError : PartialError;
  const what = `${revision.release.version} failed in ${desired.environment}, and what served before does not serve everywhere`;
  return new Kind(`${what}: ${why}`, {
    details: [...detailsOf(error), ...result.faults],
    hint: `Run \`lockage status --env ${desired.environment}\` to see what runs where, then the same command again.`,
    cause: error,
  });
}

/** Makes the error for what is as it is recorded after a failure, and was otherwise before. */
function asRecorded(
  { desired, before, revision }: Operation,
  { why, error, otherwise }: Omit<Failure, 'second'> & { readonly otherwise: readonly string[] },
): LockageError {
  const version = currentRevision(before.ledger)?.release.version ?? 'nothing';
  const isRepair = revision.kind === 'repair';
  return new PartialError(
    isRepair ? `${desired.environment} was not repaired to its end: ${why}` : notDone(desired, revision, why),
    {
      details: [
        ...detailsOf(error),
        `all hosts serve ${version}, as recorded`,
        ...otherwise.map((text) => `it was otherwise before: ${text}`),
      ],
      hint: isRepair
        ? `Run the same command again when the cause is gone: it ends the repair.`
        : `Run \`lockage history ${desired.environment}\` to see what was tried.`,
      cause: error,
    },
  );
}

interface Reverted extends Omit<Failure, 'second'> {
  readonly details: readonly string[];
  readonly hint: string;
}

function reverted({ signal }: Context, { desired, revision }: Operation, failure: Reverted): LockageError {
  const Kind = signal.aborted ? InterruptedError : RolledBackError;
  return new Kind(notDone(desired, revision, failure.why), {
    details: [...detailsOf(failure.error), ...failure.details],
    hint: failure.hint,
    cause: failure.error,
  });
}

function notDone({ environment }: DesiredState, { kind, release: { version } }: PlannedRevision, why: string): string {
  const what: Partial<Record<typeof kind, string>> = {
    rollback: `${environment} was not rolled back to ${version}`,
    repair: `${environment} was not repaired`,
  };
  return `${what[kind] ?? `${version} was not promoted to ${environment}`}: ${why}`;
}

/** Makes the error for what could not be put back in the state. `result`: how far hosts are back all the same, if they were asked. */
function notReverted(
  { desired, before, revision }: Operation,
  { why, error, second }: Failure,
  result: BackResult | undefined,
): LockageError {
  const { environment } = desired;
  const served = currentRevision(before.ledger)?.release.version;
  const stands =
    served === undefined ? `no host of ${environment} serves anybody` : `${environment} serves ${served} on all hosts`;
  const what = `${revision.release.version} failed in ${environment}`;
  const message =
    result?.back === 'everywhere'
      ? `${what}: ${stands} as before, and that could not be recorded`
      : `${what}, and cleaning up failed too`;
  const faults = result?.faults.map((text) => `not as before: ${text}`) ?? [];
  return new BrokenError(message, {
    details: [why, ...detailsOf(error), `then: ${messageOf(second)}`, ...faults],
    hint: `Run \`lockage status\` to see what runs where, then the same command again.`,
    cause: error,
  });
}

function standsAsBefore({ desired, before }: Operation): string {
  const current = currentRevision(before.ledger);
  return current
    ? `${desired.environment} serves ${current.release.version} as before`
    : `nothing runs in ${desired.environment}, as before`;
}
