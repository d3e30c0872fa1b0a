import { BrokenError, detailsOf, InterruptedError, messageOf, passesUnchanged, RolledBackError } from '../errors.ts';
import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Drill } from '../model/revision.ts';
import { besides, rolesNotTried } from '../planning/drilled-state.ts';
import { planRollback, type RollbackInputs, type RollbackPlan } from '../planning/plan-rollback.ts';
import { recordedState } from '../planning/recorded-state.ts';
import { neededSecrets } from '../planning/standby.ts';
import { refuseAhead } from '../policy/fence.ts';
import { refuseChanged, refuseOtherHosts } from '../policy/unchanged.ts';
import type { Context } from './ports.ts';
import { chooseTarget, knownBlocks } from './steps/choose-target.ts';
import { operationInfo } from './steps/operation-info.ts';
import { recordAgain } from './steps/record-again.ts';
import { turnNow } from './steps/turn-now.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The environment that is to prove that it can go back, and how far. */
export interface DrillRequest {
  readonly environment: string;
  /** a revision's number or a version; absent: the last good revision */
  readonly to?: string;
  /** milliseconds since 1970: since when the operator waits */
  readonly startedAt: number;
}

/** The outcome of a drill. */
export interface DrillResult {
  readonly outcome: 'proven';
  readonly drill: Drill;
}

/**
 * Proves that a rollback would work, and how long it takes until the hosts are ready, without moving traffic: a standby has
 * to answer and hosts to accept its routes; without one its containers are made beside those that serve, prove themselves,
 * and go. How it ended is recorded. Throws RolledBackError when a rollback would fail, or LockageError.
 */
export async function drill(context: Context, request: DrillRequest): Promise<DrillResult> {
  const configured = environmentNamed(context.project, request.environment);
  const [record, blocks] = await Promise.all([context.records.environment(configured.name), knownBlocks(context)]);
  const environment = withoutPending(withoutCordoned(configured, record.ledger));
  const target = await chooseTarget(context, { environment: configured, record, to: request.to, blocks });
  return withEnvironmentLock(context, { environment, purpose: 'rollback drill' }, async () => {
    const now = await context.records.environment(environment.name);
    refuseOtherHosts(configured, record, now);
    refuseChanged(environment, record, now);
    const reports = await context.hosts.look(environment);
    refuseAhead(environment, now, reports);
    const inputs = { ...operationInfo(context), environment, record: now, target, reports };
    return prove(context, inputs, request.startedAt);
  });
}

async function prove(context: Context, inputs: RollbackInputs, startedAt: number): Promise<DrillResult> {
  const { environment, target, actor } = inputs;
  const plan = planRollback(inputs);
  context.terminal.step('drill', `${target.release.version} (revision ${target.number})`);
  for (const role of rolesNotTried(inputs.record, plan.desired))
    context.terminal.note(`${role} is not started: two of it at once are wrong`);
  const { readyAt, error } = await tried(context, inputs, plan);
  // Whoever has taken over decides, and records; what others kept from being tried says nothing of a rollback.
  if (passesUnchanged(error)) throw error;
  if (context.signal.aborted) throw interrupted(error);
  const done: Drill = {
    at: new Date(context.now()).toISOString(),
    actor,
    version: target.release.version,
    revision: target.number,
    from: plan.standby ? 'standby' : 'image',
    duration: Math.round(readyAt - startedAt),
    ...(error === undefined ? {} : { failed: messageOf(error) }),
  };
  await recordDrill(context, environment, inputs, done);
  if (error !== undefined) throw wouldFail(environment, done, error);
  return { outcome: 'proven', drill: done };
}

/** The outcome of a trial, and its time: ms since 1970. */
interface Trial {
  readonly readyAt: number;
  readonly error?: unknown;
}

async function tried(context: Context, inputs: RollbackInputs, plan: RollbackPlan): Promise<Trial> {
  try {
    if (!plan.standby) return { readyAt: await madeBeside(context, inputs, plan) };
    await context.hosts.rehearse(plan.desired);
    return { readyAt: context.now() };
  } catch (error) {
    return { readyAt: context.now(), error: error ?? new Error('unknown') };
  }
}

function interrupted(error: unknown): unknown {
  if (error instanceof BrokenError) return error;
  return new InterruptedError('interrupted: no traffic was moved', { cause: error });
}

async function recordDrill(
  context: Context,
  environment: Environment,
  { reports }: RollbackInputs,
  done: Drill,
): Promise<void> {
  const record = await context.records.environment(environment.name);
  const worked = done.failed === undefined ? undefined : lastThatWorked(record.ledger.drill);
  const ledger = { ...record.ledger, drill: { ...done, ...(worked ? { worked } : {}) } };
  await recordAgain(context, environment, { record, ledger, reports, message: 'rollback drill' });
}

function lastThatWorked(before: Drill | undefined): Drill['worked'] {
  if (!before || before.failed !== undefined) return before?.worked;
  const { at, version, duration } = before;
  return { at, version, duration };
}

/**
 * Makes the containers to go back to beside those that serve, and takes them away again whatever becomes of them. Returns when
 * they were ready, ms since 1970.
 */
async function madeBeside(context: Context, inputs: RollbackInputs, { desired }: RollbackPlan): Promise<number> {
  const { environment, record, target, reports } = inputs;
  await context.hosts.pull(environment, target.release);
  await context.secrets.recall(environment.name, neededSecrets(desired.serving, { revisions: [] }));
  const { ledger } = record;
  const { operation } = desired;
  const turn = turnNow(context, { ledger, reports }, operation);
  const before = recordedState(desired, record, ledger, { operation, turn });
  const clear = async () => {
    const { basis } = await context.records.environment(environment.name);
    const after = { ...before, basis, operation: context.newOperation() };
    await context.stacks.deploy(after, `drill ${target.release.version} is over`);
  };
  try {
    await context.stacks.deploy(besides(before, desired), `drill ${target.release.version}`);
  } catch (error) {
    // Where nothing was begun, there is nothing to take away from what somebody else has recorded.
    if (!passesUnchanged(error)) await clear();
    throw error;
  }
  const readyAt = context.now();
  await clear();
  return readyAt;
}

function wouldFail({ name }: Environment, { version }: Drill, error: unknown): RolledBackError {
  return new RolledBackError(`a rollback of ${name} to ${version} would fail: ${messageOf(error)}`, {
    details: [...detailsOf(error), `${name} serves what it served: no traffic was moved`],
    hint: `Run \`lockage status --env ${name}\` to see what runs where.`,
    cause: error,
  });
}
