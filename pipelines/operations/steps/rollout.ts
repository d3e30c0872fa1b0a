import { planRollout } from '../../planning/plan-rollout.ts';
import type { DesiredState } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import { execute, reconcile } from './execute.ts';
import type { Plan } from '../../model/plan.ts';
import type { Context } from '../ports.ts';
import { neededDigests, type EnvironmentRecord } from '../../model/ledger.ts';
import { withRecordedSecrets } from './recorded-secrets.ts';
import { imageByDigest, type Release } from '../../model/release.ts';
import type { Revision } from '../../model/revision.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import { checkNames } from '../../policy/release-checks.ts';

export interface RolloutOptions {
  /** milliseconds since 1970: when the command began */
  readonly startedAt: number;
  readonly reason?: string;
  /** what to go back to if it fails; absent: the situation's own record */
  readonly before?: EnvironmentRecord;
  /** the operator has seen the plan, and agreed */
  readonly confirmed?: boolean;
}

export interface RolloutResult {
  readonly outcome: 'promoted' | 'unchanged';
  readonly plan: Plan;
  readonly revision?: Revision;
  /** host name → bytes */
  readonly bytesMoved?: Readonly<Record<string, number>>;
}

/**
 * From what was decided to a recorded revision: pull, plan, confirm, foundation, the operation behind the barrier, and
 * what is left of earlier releases goes. Nothing but settling where it runs already. To be called under the lock.
 * Throws LockageError.
 */
export async function rollOut(
  context: Context,
  situation: RolloutInputs,
  options: RolloutOptions,
): Promise<RolloutResult> {
  const { terminal } = context;
  const { environment, release, record, reports } = situation;
  const { plan, desired, revision, unchanged } = planRollout(context, situation);
  const notes = await context.stacks.foundationNotes(environment, reports);
  if (unchanged) {
    const runs = `${environment.name} already runs ${release.version} (revision ${plan.from?.number})`;
    terminal.note(notes.length === 0 ? `${runs}: nothing to do` : `${runs}; ${notes.join('; ')}`);
    if (notes.length > 0) {
      await terminal.confirm(`Change what ${environment.name} stands on?`);
      await context.stacks.foundation(environment, reports, { leaving: 'go' });
    }
    // A killed operation may have left other routes, or containers, than those of the record.
    await reconcile(context, environment, desired);
    await context.machines.reconcile(environment.name);
    return { outcome: 'unchanged', plan };
  }
  checkNames(context.project.app, plan.containers, reports);
  terminal.step('pull', release.version);
  const bytesMoved = await context.hosts.pull(environment, release);
  if (situation.replaces) await pullStandby(context, environment, desired, record);
  if (!options.confirmed) {
    terminal.plan({ ...plan, notes: [...plan.notes, ...notes] });
    const question = situation.counts ? `Scale ${release.version} in` : `Promote ${release.version} to`;
    await terminal.confirm(`${question} ${environment.name}?`);
  }
  await context.stacks.foundation(environment, reports, { leaving: 'stay' });
  const recorded = await execute(context, {
    desired: situation.replaces ? await withRecordedSecrets(context, desired) : desired,
    before: options.before ?? record,
    revision: { ...revision, ...(options.reason ? { reason: options.reason } : {}) },
    startedAt: options.startedAt,
  });
  await clearUp(context, environment, release);
  return { outcome: 'promoted', plan, revision: recorded, bytesMoved };
}

/** Machines that take over have nothing yet, also of what is kept to go back to. */
async function pullStandby(
  context: Context,
  environment: Environment,
  { standby }: DesiredState,
  { ledger }: EnvironmentRecord,
): Promise<void> {
  const images = new Set(standby.map(({ spec }) => spec.image));
  for (const image of images) {
    const found = ledger.revisions.find(({ release }) => imageByDigest(release) === image);
    if (found) await context.hosts.pull(environment, found.release);
  }
}

/** What is left of earlier releases goes. The release is recorded by now, so a failure here is not one of it. */
async function clearUp(context: Context, environment: Environment, release: Release): Promise<void> {
  try {
    await context.machines.reconcile(environment.name);
    // Without reports, which are from before: what they miss has been made, and an edge must not be made again.
    await context.stacks.foundation(environment, undefined, { leaving: 'go' });
    const { containers } = await context.records.environment(environment.name);
    await Promise.all([
      context.hosts.removeOthers(environment, containers),
      context.hosts.forgetImages(environment, release.repository, await neededImages(context)),
    ]);
  } catch (error) {
    context.terminal.note(`cleaning up is left to the next promotion: ${(error as Error).message}`);
  }
}

async function neededImages(context: Context): Promise<ReadonlySet<string>> {
  const [releases, ...records] = await Promise.all([
    context.records.releases(),
    ...context.project.environments.map(({ name }) => context.records.environment(name)),
  ]);
  return neededDigests(
    records.map(({ ledger }) => ledger),
    releases,
  );
}
