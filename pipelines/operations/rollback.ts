import type { DesiredState } from '../model/desired-state.ts';
import type { Environment } from '../model/environment.ts';
import { ExitCode, LockageError } from '../errors.ts';
import { execute } from './steps/execute.ts';
import { skippedHosts, withoutCordoned, withoutPending } from '../model/cordons.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import type { Context } from './ports.ts';
import { withRecordedSecrets } from './steps/recorded-secrets.ts';
import type { Revision } from '../model/revision.ts';
import { withEnvironmentLock } from './steps/with-lock.ts';
import { type RollbackRequest, targetOf, planRollback, type RollbackInputs } from '../planning/plan-rollback.ts';
import { refuseChanged, refuseOtherHosts } from '../policy/unchanged.ts';

export interface RollbackResult {
  readonly outcome: 'rolled back' | 'planned';
  readonly plan: Plan;
  readonly revision?: Revision;
  /** milliseconds from the command's start until every host sent its traffic to the earlier containers */
  readonly trafficBack?: number;
}

/**
 * Puts an earlier revision back as it ran: image, configuration and secrets. With a standby the traffic goes back first,
 * and the state follows. It is a new revision, and holds the environment until a person lifts the hold.
 * Throws LockageError.
 */
export async function rollback(context: Context, request: RollbackRequest, startedAt: number): Promise<RollbackResult> {
  const configured = environmentNamed(context.project, request.environment);
  const record = await context.records.environment(configured.name);
  const environment = withoutPending(withoutCordoned(configured, record.ledger));
  const target = targetOf(environment.name, record.ledger, request.to);
  const asked = context.hosts.look(environment);
  // It is awaited below, where the lock is let go of if it fails.
  asked.catch(() => undefined);
  const decideAndAct = async (): Promise<RollbackResult> => {
    const reports = await asked;
    // Another operator may have acted before the lock was taken: going back from something else is another decision.
    const now = await context.records.environment(environment.name);
    refuseOtherHosts(configured, record, now);
    refuseChanged(environment, record, now);
    const situation = { environment, record, reports, target, request };
    const assembled = planRollback(context, situation);
    if (!request.planOnly) return switchBack(context, situation, assembled, startedAt);
    context.terminal.plan(assembled.plan);
    return { outcome: 'planned', plan: assembled.plan };
  };
  return request.planOnly ? decideAndAct() : withEnvironmentLock(context, environment, 'rollback', decideAndAct);
}

async function switchBack(
  context: Context,
  { environment, record, target, request }: RollbackInputs,
  { desired, plan, standby }: ReturnType<typeof planRollback>,
  startedAt: number,
): Promise<RollbackResult> {
  const { version } = target.release;
  await context.terminal.confirm(`Roll ${environment.name} back to ${version} (revision ${target.number})?`);
  const revision: Omit<Revision, 'result' | 'duration'> = {
    number: plan.number,
    release: target.release,
    containers: desired.serving.map(({ spec }) => spec),
    secretVersions: target.secretVersions,
    kind: 'rollback',
    actor: context.actor,
    startedAt: new Date(startedAt).toISOString(),
    restores: target.number,
    ...(environment.machines?.image ? { machineImage: environment.machines.image } : {}),
    ...skippedHosts(record.ledger),
    ...(target.counts ? { counts: target.counts } : {}),
    ...(request.reason ? { reason: request.reason } : {}),
  };
  const operation = { before: record, revision, startedAt };
  // A promotion of an image that was killed may have left the load balancer on other machines.
  await context.machines.routeTo(environment);
  if (!standby) {
    context.terminal.note(`no standby of ${version}: its containers are made again`);
    await context.hosts.pull(environment, target.release);
    const again = await withRecordedSecrets(context, desired);
    return { outcome: 'rolled back', plan, revision: await execute(context, { ...operation, desired: again }) };
  }
  await context.hosts.switchNow(desired);
  const trafficBack = Math.round(context.now() - startedAt);
  context.terminal.note(
    `${environment.name} serves ${version} again on all hosts, ${trafficBack} ms after the command's start`,
  );
  const withoutTraffic = await startAndStop(context, environment, desired);
  const recorded = await execute(context, { ...operation, desired, switched: true });
  if (withoutTraffic === undefined) return { outcome: 'rolled back', plan, revision: recorded, trafficBack };
  throw new LockageError(`${environment.name} serves ${version} again, but not all that has no traffic runs as then`, {
    code: ExitCode.broken,
    details: [withoutTraffic.message, ...(withoutTraffic instanceof LockageError ? withoutTraffic.details : [])],
    hint: `Look at \`lockage status --env ${environment.name}\`; the next promotion replaces what does not run.`,
    cause: withoutTraffic,
  });
}

/** What kept containers without traffic from being started or stopped; the rollback is to be recorded all the same. */
async function startAndStop(
  context: Context,
  environment: Environment,
  { serving, standby }: DesiredState,
): Promise<Error | undefined> {
  const resting = (placed: DesiredState['serving']) => placed.filter(({ spec }) => !spec.route);
  try {
    await context.hosts.startAndStop(environment, resting(serving), resting(standby));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
