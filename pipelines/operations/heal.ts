import { LockageError } from '../errors.ts';
import { withoutCordoned } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import { currentRevision, type EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { Plan } from '../model/plan.ts';
import type { Release } from '../model/release.ts';
import type { Revision } from '../model/revision.ts';
import { planHealing, type Healing, type Treated, type Untreated } from '../planning/healing.ts';
import type { Context } from './ports.ts';
import { bringIn } from './steps/bring-in.ts';
import { leftError } from './steps/heal-steps.ts';
import { refuseLost } from './steps/refuse-lost.ts';

/** The environment that is to be again as it is recorded. */
export interface HealRequest {
  readonly environment: string;
  readonly reason?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

/** The outcome of a healing. */
export interface HealResult {
  readonly outcome: 'healed' | 'nothing drifted' | 'planned';
  /** what was found, and is made again */
  readonly treated: readonly Treated[];
  /** what was found, and is left to a person */
  readonly left: readonly Untreated[];
  readonly plan?: Plan;
  readonly revision?: Revision;
  /** folder with what is kept of containers that went */
  readonly kept?: string;
}

/**
 * Makes an environment again what is recorded of it, by replacing and never by changing: the release that runs is brought
 * in once more in place of what drifted, over the same barrier as any other change. What others have put there is named,
 * and not touched. Throws LockageError: refused, failed and rolled back, or PartialError for what is left to a person.
 */
export async function heal(context: Context, request: HealRequest): Promise<HealResult> {
  const startedAt = context.now();
  const environment = environmentNamed(context.project, request.environment);
  const { name } = environment;
  context.terminal.step('look', name);
  const record = await context.records.environment(name);
  const found = await lookAt(context, environment, record);
  if (found.treated.length + found.left.length === 0) return { outcome: 'nothing drifted', ...listed(found) };
  if (found.treated.length === 0) {
    if (request.planOnly) return { outcome: 'planned', ...listed(found) };
    throw leftError(name, found.left, false);
  }
  refuseUnmade(environment);
  const release = await releaseThatRuns(context, environment, record);
  const result = await bringIn(context, {
    ...request,
    release,
    startedAt,
    checkMayEnter: async (now) => refuseOtherRelease(name, release, now),
    heals: { found, record, again: (now) => lookAt(context, environment, now) },
  });
  if (result.outcome === 'planned') return { outcome: 'planned', ...listed(found), plan: result.plan };
  await refuseLeft(context, environment);
  const { revision, kept } = result;
  return {
    outcome: 'healed',
    ...listed(found),
    plan: result.plan,
    ...(revision ? { revision } : {}),
    ...(kept === undefined ? {} : { kept }),
  };
}

function listed({ treated, left }: Healing): Pick<HealResult, 'treated' | 'left'> {
  return { treated, left };
}

/** Looks what has drifted, and says what is done about it. Throws LockageError naming each host that does not answer. */
async function lookAt(context: Context, configured: Environment, record: EnvironmentRecord): Promise<Healing> {
  const environment = withoutCordoned(configured, record.ledger);
  const hosts = await context.drift.find(environment, record);
  const silent = hosts.flatMap((each) => ('error' in each ? [`${each.host.name}: ${each.error}`] : []));
  if (silent.length === 0) return planHealing({ app: context.project.app, environment, record }, hosts);
  throw new LockageError(`${silent.length} of ${hosts.length} hosts of ${environment.name} do not say what they have`, {
    details: silent,
    hint: `Bring them back, or go on without one: \`lockage host cordon NAME --env ${environment.name}\`.`,
  });
}

/** Machines that are still to be made are something new. Throws LockageError. */
function refuseUnmade({ name, hosts }: Environment): void {
  const unmade = hosts.filter(({ kind }) => kind === 'pending').map((each) => each.name);
  if (unmade.length === 0) return;
  throw new LockageError(`machines of ${name} are not made yet: ${unmade.join(', ')}`, {
    hint: `Run \`lockage promote VERSION --to ${name}\`, which makes them, and heals what drifted too.`,
  });
}

async function releaseThatRuns(
  context: Context,
  environment: Environment,
  record: EnvironmentRecord,
): Promise<Release> {
  const current = currentRevision(record.ledger);
  if (current) return current.release;
  await refuseLost(context, environment, record);
  throw new LockageError(`nothing runs in ${environment.name}, and there is nothing to heal it from`, {
    hint: `Bring a release there: \`lockage promote VERSION --to ${environment.name}\`.`,
  });
}

function refuseOtherRelease(name: string, release: Release, { ledger }: EnvironmentRecord): void {
  const current = currentRevision(ledger);
  if (current?.release.digest === release.digest) return;
  throw new LockageError(`${name} runs ${current?.release.version} by now: nothing was healed`, {
    hint: 'Run the same command again.',
  });
}

/** Looks again, as only what hosts have says that it is healed. Throws PartialError for what is not as it is recorded. */
async function refuseLeft(context: Context, environment: Environment): Promise<void> {
  const record = await context.records.environment(environment.name);
  const { treated, left } = await lookAt(context, environment, record);
  const still = treated.flatMap(({ host, drift }) => drift.map((each) => ({ host, drift: each, remedy: '' })));
  const all = [...still, ...left];
  if (all.length > 0) throw leftError(environment.name, all, true);
}
