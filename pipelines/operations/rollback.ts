import { BrokenError, detailsOf, messageOf, PartialError } from '../errors.ts';
import { restsAsStandby } from '../model/container-spec.ts';
import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import { samePlace, type DesiredState } from '../model/desired-state.ts';
import type { Environment } from '../model/environment.ts';
import type { HostReport } from '../model/host-report.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import type { Revision } from '../model/revision.ts';
import { planRollback, type RollbackInputs, type RollbackPlan } from '../planning/plan-rollback.ts';
import { neededSecrets } from '../planning/standby.ts';
import { endingFirst } from '../planning/stop-first.ts';
import { refuseAhead } from '../policy/fence.ts';
import { refuseBlocked, refuseChanged, refuseOtherHosts } from '../policy/unchanged.ts';
import type { Context } from './ports.ts';
import { refuseOlderState } from './steps/agree.ts';
import { recordedIfFailed } from './steps/attempt.ts';
import { chooseTarget, knownBlocks } from './steps/choose-target.ts';
import { execute } from './steps/execute.ts';
import { finishRollback, unfinishedRollback } from './steps/finish-rollback.ts';
import { operationInfo } from './steps/operation-info.ts';
import { startInTurn } from './steps/start-in-turn.ts';
import { askWhetherServed, type BackResult } from './steps/verify-back.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';

/** The environment that is to go back, and how far. */
export interface RollbackRequest {
  readonly environment: string;
  /** a revision's number or a version; absent: the last good revision */
  readonly to?: string;
  readonly reason?: string;
  /** why it goes there although its code may not run with the data */
  readonly forceSchema?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
  /** milliseconds since 1970: since when the operator waits */
  readonly startedAt: number;
}

/** The outcome of a rollback. */
export interface RollbackResult {
  /** `finished`: an earlier rollback is, whose containers without traffic had not all started */
  readonly outcome: 'rolled back' | 'finished' | 'planned';
  readonly plan?: Plan;
  readonly revision?: Revision;
  /** milliseconds from the command's start, or the end of its waiting or prompt, until every host sent its traffic to the earlier containers */
  readonly trafficBack?: number;
}

/**
 * Puts an earlier revision back as it ran: image, configuration and secrets. With a standby the traffic goes back first,
 * and the state follows. It is a new revision, and holds the environment until a person lifts the hold.
 * Throws LockageError.
 */
export async function rollback(context: Context, request: RollbackRequest): Promise<RollbackResult> {
  const configured = environmentNamed(context.project, request.environment);
  const [record, blocks] = await Promise.all([context.records.environment(configured.name), knownBlocks(context)]);
  const environment = withoutPending(withoutCordoned(configured, record.ledger));
  const unfinished = await unfinishedRollback(context, environment, record, request.to);
  if (unfinished) {
    if (request.planOnly) return { outcome: 'planned', revision: unfinished.revision };
    await finishRollback(context, environment, unfinished);
    return { outcome: 'finished', revision: unfinished.revision };
  }
  const { to, forceSchema } = request;
  const target = await chooseTarget(context, { environment: configured, record, to, blocks, forceSchema });
  const asked = context.hosts.look(environment);
  // It is awaited below, where the lock is let go of if it fails.
  asked.catch(() => undefined);
  const draft = { request, configured, environment, record, target, reports: asked };
  if (request.planOnly) {
    const { plan } = await draftPlan(context, draft);
    context.terminal.plan(plan);
    return { outcome: 'planned', plan };
  }
  const answeredAt = await agreed(context, draft);
  // While a person thinks, hosts may change as well.
  const reports = answeredAt === undefined ? asked : context.hosts.look(environment);
  reports.catch(() => undefined);
  const startedAt = answeredAt ?? request.startedAt;
  return withEnvironmentLock(context, { environment, purpose: 'rollback' }, () =>
    rollBackLocked(context, { ...draft, reports }, startedAt),
  );
}

/** A rollback before anybody is kept from changing the environment. */
interface Draft {
  readonly request: RollbackRequest;
  /** with its cordoned hosts */
  readonly configured: Environment;
  readonly environment: Environment;
  readonly record: EnvironmentRecord;
  readonly target: Revision;
  readonly reports: Promise<readonly HostReport[]>;
}

async function inputsOf(context: Context, draft: Draft): Promise<RollbackInputs> {
  const { environment, record, target, request } = draft;
  const { forceSchema } = request;
  const reason = {
    ...(request.reason ? { reason: request.reason } : {}),
    ...(forceSchema === undefined ? {} : { forcedSchema: forceSchema }),
  };
  return { ...operationInfo(context), environment, record, target, reports: await draft.reports, ...reason };
}

async function draftPlan(context: Context, draft: Draft): Promise<RollbackPlan> {
  const inputs = await inputsOf(context, draft);
  await refuseOlderState(context, inputs);
  return planRollback(inputs);
}

/** Asks without a lock, so that nobody else has to wait for the answer. Returns when it came, ms since 1970. */
async function agreed(context: Context, draft: Draft): Promise<number | undefined> {
  const { environment, target } = draft;
  if (!context.terminal.asks) return undefined;
  await draftPlan(context, draft);
  const { number, release } = target;
  await context.terminal.confirm(`Roll ${environment.name} back to ${release.version} (revision ${number})?`);
  return context.now();
}

/**
 * Decides again and rolls back. Another operator may have acted before the lock was taken: going back from something
 * else is another decision.
 */
async function rollBackLocked(context: Context, draft: Draft, startedAt: number): Promise<RollbackResult> {
  const { configured, environment } = draft;
  // Whoever cannot be asked keeps it from beginning.
  await draft.reports;
  const [now, blocks] = await Promise.all([context.records.environment(environment.name), knownBlocks(context)]);
  refuseOtherHosts(configured, draft.record, now);
  refuseChanged(environment, draft.record, now);
  refuseBlocked(environment, draft.target, blocks);
  const inputs = await inputsOf(context, { ...draft, record: now });
  refuseAhead(environment, now, inputs.reports);
  const plan = planRollback(inputs);
  const { version, digest } = plan.revision.release;
  context.tell?.({ release: { version, digest }, revision: plan.revision.number });
  if (!plan.switches) await fetchParts(context, inputs, plan);
  // A replacement of machines that was killed may have left the load balancer on other machines.
  await context.machines.routeTo(environment);
  const goBack = plan.switches ? switchBack : makeAgain;
  const result = await goBack(context, inputs, plan, startedAt);
  // Also to machines that served nothing until now.
  await context.machines.routeTo(environment);
  return result;
}

/** Gets all that containers are made from again: the secrets that they had, and the image. Nothing has changed until then. */
async function fetchParts(
  context: Context,
  { environment, target }: RollbackInputs,
  { desired, standby }: RollbackPlan,
): Promise<void> {
  const { again = [] } = desired;
  if (again.length === 0) return;
  const { version } = target.release;
  await context.secrets.recall(environment.name, neededSecrets(again, { revisions: [] }));
  const roles = [...new Set(again.map(({ spec }) => spec.role))].join(', ');
  const rest = `made again of ${version}: ${roles}; the others start as they are when those before them have stopped`;
  context.terminal.note(standby ? rest : `no standby of ${version}: its containers are made again`);
  await context.hosts.pull(environment, target.release);
}

/** Goes back over the same barrier as a promotion's, where it is no switch. */
async function makeAgain(
  context: Context,
  { record }: RollbackInputs,
  { plan, desired, revision }: RollbackPlan,
  startedAt: number,
): Promise<RollbackResult> {
  const recorded = await execute(context, { desired, before: record, revision, startedAt });
  return { outcome: 'rolled back', plan, revision: recorded };
}

/** Switches the traffic back at once; the state follows. */
async function switchBack(
  context: Context,
  { environment, target, record, reports }: RollbackInputs,
  { plan, desired, revision }: RollbackPlan,
  startedAt: number,
): Promise<RollbackResult> {
  const { version } = target.release;
  const trial = { environment: environment.name, record, revision, reports, turn: desired.turn };
  // Some hosts may serve it then, which nothing else would tell.
  await recordedIfFailed(context, trial, () => context.hosts.switchNow(desired));
  const trafficBack = Math.round(context.now() - startedAt);
  const what = `${environment.name} serves ${version} again on all hosts`;
  context.terminal.note(`${what} after ${trafficBack} ms`);
  const failure = await startAndStop(context, environment, record, desired);
  const asked = askWhetherServed(context, desired);
  const recorded = await execute(context, { desired, before: record, revision, startedAt, switched: true });
  if (failure === undefined) {
    refuseUnserved(what, await asked);
    return { outcome: 'rolled back', plan, revision: recorded, trafficBack };
  }
  throw new BrokenError(`${environment.name} serves ${version} again, but not all that has no traffic runs as then`, {
    details: [messageOf(failure), ...detailsOf(failure)],
    hint: `Run the same command again when the cause is gone: it starts what rests.`,
    cause: failure,
  });
}

/** The traffic leads back by then; whether visitors come to where it begins is another question. */
function refuseUnserved(what: string, { back, faults }: BackResult): void {
  if (back === 'everywhere') return;
  const Kind = back === 'nowhere' ? BrokenError : PartialError;
  throw new Kind(`${what}, and is recorded, but visitors are not served everywhere`, {
    details: faults,
    hint: 'Run `lockage status` to see what runs where.',
  });
}

/** Returns what kept containers without traffic from being started or stopped: the rollback is recorded all the same. */
async function startAndStop(
  context: Context,
  environment: Environment,
  record: EnvironmentRecord,
  desired: DesiredState,
): Promise<unknown> {
  const { serving, standby } = desired;
  const resting = (placed: DesiredState['serving']) => placed.filter(({ spec }) => restsAsStandby(spec));
  const first = endingFirst(record, serving);
  try {
    const stop = resting(standby).filter((placed) => !first.some((other) => samePlace(other, placed)));
    await startInTurn(context, environment, { start: resting(serving), stop, first });
    return undefined;
  } catch (error) {
    return error ?? new Error('unknown');
  }
}
