import { planRollout } from '../planning/plan-rollout.ts';
import type { Environment } from '../model/environment.ts';
import { LockageError } from '../errors.ts';
import { checkGates } from '../policy/gates.ts';
import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import { environmentNamed } from '../model/pipeline.ts';
import { preflight } from './steps/preflight.ts';
import type { Plan } from '../model/plan.ts';
import type { Context } from './ports.ts';
import { currentRevision, nextNumber, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import { rollOut, type RolloutResult } from './steps/rollout.ts';
import { withEnvironmentLock, withEnvironmentLockIfReachable } from './steps/with-lock.ts';
import { releaseNamed } from '../model/releases.ts';
import { checkUser } from '../policy/release-checks.ts';
import { refuseOtherHosts } from '../policy/unchanged.ts';

export interface PromoteRequest {
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** role → its number of containers from now on: the release runs there already, and is only scaled */
  readonly counts?: Readonly<Record<string, number>>;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

export type PromoteResult = RolloutResult | { readonly outcome: 'planned'; readonly plan: Plan };

/**
 * Brings a release into an environment: all hosts serve it at the end, or all serve what they served before.
 * Throws LockageError: refused (nothing changed), locked, or failed and rolled back.
 */
export async function promote(context: Context, request: PromoteRequest): Promise<PromoteResult> {
  const { terminal } = context;
  const startedAt = context.now();
  const asConfigured = environmentNamed(context.project, request.environment);

  terminal.step('resolve', `${request.version} for ${asConfigured.name}`);
  const release = releaseNamed(await context.records.releases(), request.version);
  checkUser(release, asConfigured);
  await context.registry.verify(release);

  terminal.step('judge');
  const seen = await context.records.environment(asConfigured.name);
  await checkMayEnter(context, request, release, seen);
  const values = await context.secrets.read(asConfigured);

  const missing = await context.machines.pendingChanges(asConfigured);
  if (missing.length > 0 && request.planOnly) {
    const situation = { environment: withoutCordoned(asConfigured, seen.ledger), release, record: seen, values };
    return planned(context, { ...planRollout(context, { ...situation, reports: [] }).plan, notes: missing });
  }
  if (missing.length > 0) await makeMachines(context, asConfigured, seen, missing);
  const configured = environmentNamed(context.project, asConfigured.name);
  const environment = withoutCordoned(configured, seen.ledger);

  const early = await preflight(context, environment, release);
  if (request.planOnly) {
    const { plan: bare } = planRollout(context, {
      ...request,
      environment,
      release,
      record: seen,
      reports: early,
      values,
    });
    return planned(context, {
      ...bare,
      notes: [...bare.notes, ...(await context.stacks.foundationNotes(environment, early))],
    });
  }

  return withEnvironmentLock(context, environment, `promote ${release.version}`, async () => {
    // Another operator may have acted since: what is decided from here on is decided under the lock.
    const record = await context.records.environment(environment.name);
    await checkMayEnter(context, request, release, record);
    refuseOtherHosts(configured, seen, record);
    const changed = nextNumber(record.ledger) !== nextNumber(seen.ledger);
    const reports = changed ? await context.hosts.preflight(environment) : early;
    const situation = { ...request, environment, release, record, reports, values };
    return rollOut(context, situation, { ...request, startedAt });
  });
}

/** The gates, which a release that runs there has passed. Throws LockageError. */
async function checkMayEnter(
  context: Context,
  request: PromoteRequest,
  release: Release,
  record: EnvironmentRecord,
): Promise<void> {
  const environment = environmentNamed(context.project, request.environment);
  if (request.counts === undefined) {
    return checkGates(release, environment, record, await upstreamRecords(context, environment));
  }
  const current = currentRevision(record.ledger);
  if (current?.release.digest === release.digest) return;
  throw new LockageError(`${environment.name} runs ${current?.release.version} by now: nothing was scaled`, {
    hint: 'Run the same command again.',
  });
}

function planned(context: Context, plan: Plan): PromoteResult {
  context.terminal.plan(plan);
  return { outcome: 'planned', plan };
}

async function makeMachines(
  context: Context,
  environment: Environment,
  { ledger }: EnvironmentRecord,
  notes: readonly string[],
): Promise<void> {
  for (const text of notes) context.terminal.note(text);
  await context.terminal.confirm(`Make ${environment.name} ready for the release?`);
  context.terminal.step('machines', environment.name);
  // Another operation may be leading the traffic to other machines. Those that are not there yet hold no lock.
  const there = withoutPending(withoutCordoned(environment, ledger));
  await withEnvironmentLockIfReachable(context, there, 'machines', () => context.machines.ensure(environment));
}

async function upstreamRecords(context: Context, environment: Environment): Promise<Record<string, EnvironmentRecord>> {
  const records = await Promise.all(
    environment.after.map(async (name) => [name, await context.records.environment(name)] as const),
  );
  return Object.fromEntries(records);
}
