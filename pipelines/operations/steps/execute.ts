import { recordedState } from '../../planning/recorded-state.ts';
import type { DesiredState, PlacedContainer } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import { ExitCode, LockageError, NotStartedError } from '../../errors.ts';
import type { Context } from '../ports.ts';
import { currentRevision, withRevision, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Revision } from '../../model/revision.ts';

export interface Operation {
  readonly desired: DesiredState;
  /** what was recorded before */
  readonly before: EnvironmentRecord;
  readonly revision: Omit<Revision, 'result' | 'duration'>;
  /** milliseconds since 1970 */
  readonly startedAt: number;
  /** the traffic was moved before, so that this only makes the state agree */
  readonly switched?: boolean;
}

/**
 * Carries out an operation behind the barrier and records it. When it fails, everything goes back to what served before,
 * and the failure is recorded: throws LockageError (rolledBack), or (broken) if going back failed too. Traffic that was
 * moved before stays where it is: throws LockageError (broken).
 */
export async function execute(context: Context, operation: Operation): Promise<Revision> {
  const { desired, startedAt } = operation;
  const message = `${operation.revision.kind} ${operation.revision.release.version}`;
  const succeeded: Revision = { ...operation.revision, result: 'succeeded', duration: 0 };
  context.terminal.step('deploy', message);
  try {
    await context.stacks.deploy({ ...desired, startedAt, ledger: withRevision(desired.ledger, succeeded) }, message);
    return { ...succeeded, duration: context.now() - startedAt };
  } catch (error) {
    if (await wasRecorded(context, operation)) {
      context.terminal.note(`${message} is done; cleaning up after it was not possible: ${(error as Error).message}`);
      return succeeded;
    }
    if (operation.switched) throw notRecorded(operation, error);
    if (error instanceof NotStartedError) throw error;
    throw await revert(context, operation, error);
  }
}

/** The record is written before what is not needed any more is removed: a failure after it is not one of the release. */
async function wasRecorded(context: Context, { desired, revision }: Operation): Promise<boolean> {
  const { ledger } = await context.records.environment(desired.environment);
  return currentRevision(ledger)?.number === revision.number;
}

/** To switch once more, to the release that somebody has just rolled back from, would be the worst that could be done. */
function notRecorded({ desired, revision }: Operation, error: unknown): LockageError {
  const { environment } = desired;
  const { version } = revision.release;
  const reason = error instanceof Error ? error.message : String(error);
  const details = error instanceof LockageError ? error.details : [];
  return new LockageError(`${environment} serves ${version} on all hosts, but it could not be recorded: ${reason}`, {
    code: ExitCode.broken,
    details,
    hint: `Run the same command again once the cause is gone: it records what runs.`,
    cause: error,
  });
}

async function revert(context: Context, operation: Operation, error: unknown): Promise<LockageError> {
  const { desired, before, revision, startedAt } = operation;
  const name = desired.environment;
  const interrupted = context.signal.aborted;
  const why = interrupted ? 'interrupted' : error instanceof Error ? error.message : String(error);
  context.terminal.step('go back', why);
  const failed: Revision = { ...revision, result: 'failed', duration: 0, reason: why };
  const current = currentRevision(before.ledger);
  const details = error instanceof LockageError ? error.details : [];
  const stands = current ? `${name} serves ${current.release.version} as before` : `nothing runs in ${name}, as before`;
  try {
    // What was made to take over may be what died: it goes as a whole, and nothing is asked of it.
    if (desired.handover) await context.machines.reconcile(name);
    const now = await context.records.environment(name);
    // Only what was there before: containers that this operation made may be what failed.
    const containers = now.containers.filter((placed) =>
      before.containers.some((other) => sameContainer(other, placed)),
    );
    const place = { app: desired.app, environment: name };
    const back = recordedState(place, { ...now, containers }, before.ledger, { operation: context.newOperation() });
    const ledger = withRevision(before.ledger, failed);
    await context.stacks.deploy({ ...back, ledger, startedAt }, `go back from ${revision.release.version}`);
  } catch (second) {
    if (second instanceof LockageError && second.code === ExitCode.partial) {
      // Those that answer serve what they did. One that does not takes a switch back that nobody confirmed to it.
      return new LockageError(`${revision.release.version} was not promoted to ${name}: ${why}`, {
        code: interrupted ? ExitCode.interrupted : ExitCode.rolledBack,
        details: [
          ...details,
          `${stands}, where hosts answer`,
          ...second.details.map((text) => `left as it is: ${text}`),
        ],
        hint: 'Run the same command again when they answer: it takes over or removes what is left there.',
        cause: error,
      });
    }
    return new LockageError(`${revision.release.version} failed in ${name}, and cleaning up failed too`, {
      code: ExitCode.broken,
      details: [why, ...details, `then: ${(second as Error).message}`],
      hint: `Run \`lockage status\` to see what runs where, then the same command again.`,
      cause: error,
    });
  }
  return new LockageError(`${revision.release.version} was not promoted to ${name}: ${why}`, {
    code: interrupted ? ExitCode.interrupted : ExitCode.rolledBack,
    details: [...details, stands],
    hint: `Run \`lockage history ${name}\` to see what was tried.`,
    cause: error,
  });
}

/**
 * Makes an environment again what is recorded, after an operation that was killed: routes, then containers. Costs a call
 * to each host when there is nothing to do.
 */
export async function reconcile(context: Context, environment: Environment, desired: DesiredState): Promise<void> {
  await context.hosts.switchNow(desired);
  const record = await context.records.environment(environment.name);
  const kept = [...desired.serving, ...desired.standby];
  const containers = record.containers.filter((placed) => kept.some((other) => sameContainer(other, placed)));
  if (containers.length < record.containers.length) {
    const place = { app: desired.app, environment: environment.name };
    const again = recordedState(place, { ...record, containers }, record.ledger, { operation: desired.operation });
    await context.stacks.deploy(again, 'clear up');
  }
  await context.hosts.removeOthers(environment, containers);
}

function sameContainer(a: PlacedContainer, b: PlacedContainer): boolean {
  return a.host.name === b.host.name && a.spec.name === b.spec.name;
}
