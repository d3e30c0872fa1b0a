import { messageOf } from '../../errors.ts';
import { restsAsStandby } from '../../model/container-spec.ts';
import type { DesiredState, PlacedContainer } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import { ended } from '../../model/fence.ts';
import { currentRevision, type EnvironmentRecord } from '../../model/ledger.ts';
import type { Plan } from '../../model/plan.ts';
import { imageByDigest } from '../../model/release.ts';
import type { Revision } from '../../model/revision.ts';
import { planRollout, type RolloutPlan } from '../../planning/plan-rollout.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import { neededSecrets } from '../../planning/standby.ts';
import { brokenGlass } from '../../policy/break-glass.ts';
import { checkNames } from '../../policy/release-checks.ts';
import { keptOnHosts, knownReleases } from '../../policy/retention.ts';
import type { OperationFacts } from '../observers.ts';
import type { Context } from '../ports.ts';
import type { FoundationRequest } from '../ports/stacks.ts';
import { refuseOtherPlan, type Agreement } from './agree.ts';
import { recordedAsAttempt, recordedIfFailed, type Trial } from './attempt.ts';
import { execute } from './execute.ts';
import { foundationRequest } from './foundation-request.ts';
import { takeDumps } from './take-dumps.ts';
import { withJobImages } from './job-images.ts';
import { reconcile } from './reconcile.ts';
import { releaseGraph } from './release-graph.ts';
import { removeOthers } from './remove-others.ts';
import { keepEvidence, refuseHidden } from './heal-steps.ts';

/** The options of a rollout. */
export interface RolloutOptions {
  /** milliseconds since 1970: when the command began */
  readonly startedAt: number;
  /** the environment with its cordoned hosts */
  readonly whole: Environment;
  readonly reason?: string;
  /** see `Revision` */
  readonly forcedSchema?: string;
  /** why gates were passed that are not met */
  readonly breakGlass?: string;
  /** what to go back to if it fails; absent: the record of the inputs */
  readonly before?: EnvironmentRecord;
  /** gives accessories their data, once they are there */
  readonly fill?: () => Promise<void>;
  /** what a person has seen, and said yes to */
  readonly agreed?: Agreement;
  /** a plan that is no one of a rollout alone was shown before */
  readonly shown?: boolean;
}

/** The outcome of a rollout. */
export interface RolloutResult {
  readonly outcome: 'promoted' | 'unchanged';
  readonly plan: Plan;
  readonly revision?: Revision;
  /** host name → bytes */
  readonly bytesMoved?: Readonly<Record<string, number>>;
  /** folder with what is kept of containers that drifted, and went */
  readonly kept?: string;
}

/**
 * Takes what was decided to a recorded revision: plan, pull, foundation, the operation behind the barrier; then what is
 * left of earlier releases goes. Only reconciles where the release runs already. To be called under the lock. Throws
 * LockageError, also when it is not what a person agreed to.
 */
export async function rollOut(
  context: Context,
  inputs: RolloutInputs,
  options: RolloutOptions,
): Promise<RolloutResult> {
  const rollout = planRollout(inputs);
  const foundation = foundationRequest(inputs, options.whole);
  const notes = await context.stacks.foundationNotes(foundation);
  const plan = { ...rollout.plan, notes: [...rollout.plan.notes, ...notes] };
  if (options.agreed) refuseOtherPlan(options.agreed, plan);
  if (rollout.unchanged) return reconcileUnchanged(context, inputs, rollout, { foundation, notes });
  const { version, digest } = inputs.release;
  context.tell?.({ release: { version, digest }, revision: rollout.revision.number });
  checkNames(inputs.app, plan.containers, inputs.reports);
  if (!options.agreed && !options.shown) context.terminal.plan(plan);
  // What heals puts back what is recorded, and waits for nobody's consent.
  if (!inputs.heals) await context.observers?.reach('pre-deploy', factsOf(inputs));
  // Containers of a standby that are made once more need the secrets that they had.
  if (inputs.replaces ?? rollout.desired.anew) await recallStandby(context, rollout.desired);
  const kept = inputs.heals && (await keepEvidence(context, inputs.environment.name, inputs.record, inputs.heals));
  const bytesMoved = await pull(context, inputs, rollout.desired);
  const jobs = await withJobImages(context, inputs.environment, rollout.desired);
  const glass = brokenGlass(inputs.gates, options.breakGlass);
  const revision = {
    ...rollout.revision,
    ...(options.reason ? { reason: options.reason } : {}),
    ...(options.forcedSchema === undefined ? {} : { forcedSchema: options.forcedSchema }),
    ...(glass ? { brokenGlass: glass } : {}),
  };
  const { environment, record } = inputs;
  const dumps = rollout.plan.migration
    ? await takeDumps(context, { environment, record, revision })
    : record.ledger.dumps;
  const known = dumps?.length ? { dumps } : {};
  const old = options.before ?? record;
  const before = { ...old, ledger: { ...old.ledger, ...known } };
  const basis = await changeFoundation(context, {
    inputs,
    before,
    rollout: { ...rollout, revision },
    foundation,
    notes,
  });
  await options.fill?.();
  const recorded = await execute(context, {
    desired: {
      ...rollout.desired,
      ledger: { ...rollout.desired.ledger, ...known },
      basis,
      ...(jobs.length > 0 ? { jobs } : {}),
    },
    before,
    revision,
    startedAt: options.startedAt,
    // That of machines which were to take over goes with them.
    ...(notes.length > 0 && !inputs.replaces ? { hasOtherFoundation: true } : {}),
  });
  await clearUp(context, inputs, { foundation, desired: rollout.desired });
  return {
    outcome: 'promoted',
    plan: rollout.plan,
    revision: recorded,
    bytesMoved,
    ...(kept === undefined ? {} : { kept }),
  };
}

function factsOf({ release, record, gates }: RolloutInputs): Partial<OperationFacts> {
  const previous = currentRevision(record.ledger)?.release;
  return { release, ...(previous ? { previous } : {}), ...(gates ? { gates } : {}) };
}

interface FoundationDue {
  readonly foundation: FoundationRequest;
  /** what is to change; empty: nothing is */
  readonly notes: readonly string[];
}

interface FoundationChange extends FoundationDue {
  readonly inputs: RolloutInputs;
  /** what is recorded, and gone back to */
  readonly before: EnvironmentRecord;
  readonly rollout: Pick<RolloutPlan, 'revision' | 'desired'>;
}

/** Makes what the release stands on, as an attempt at it. Returns the mark of what is recorded then. */
async function changeFoundation(context: Context, change: FoundationChange): Promise<string> {
  const { inputs, before, rollout, foundation, notes } = change;
  if (notes.length === 0) return inputs.record.basis;
  const make = async () => {
    await context.stacks.foundation(foundation, { leaving: 'stay' });
    if (inputs.heals) await refuseHidden(context, inputs, inputs.heals);
  };
  return recordedAsAttempt(context, trialOf(inputs, before, rollout), make);
}

function trialOf(
  { environment, reports }: RolloutInputs,
  record: EnvironmentRecord,
  { revision, desired: { turn } }: Pick<RolloutPlan, 'revision' | 'desired'>,
): Trial {
  return { environment: environment.name, record, revision, reports, turn };
}

/** Puts right what an operation that was killed may have left, routes or containers, where the release runs already. */
async function reconcileUnchanged(
  context: Context,
  inputs: RolloutInputs,
  { plan, desired, revision }: RolloutPlan,
  { foundation, notes }: FoundationDue,
): Promise<RolloutResult> {
  const { environment, release } = inputs;
  const runs = `${environment.name} already runs ${release.version} (revision ${plan.from?.number})`;
  context.terminal.note(notes.length === 0 ? `${runs}: nothing to do` : `${runs}; ${notes.join('; ')}`);
  if (notes.length > 0) {
    const make = () => context.stacks.foundation(foundation, { leaving: 'go' });
    await recordedIfFailed(context, trialOf(inputs, inputs.record, { desired, revision }), make);
  }
  await reconcile(context, environment, desired);
  const awake = standbyAtWork(inputs, desired);
  if (awake.length > 0) await context.hosts.startAndStop(environment, [], awake);
  await context.machines.reconcile(environment.name);
  await context.hosts.closeIdle(desired);
  return { outcome: 'unchanged', plan };
}

/** Returns containers of a standby that work, though they have no traffic: one that was to serve again was killed when it had woken them. */
function standbyAtWork({ reports }: RolloutInputs, { standby }: DesiredState): PlacedContainer[] {
  const works = ({ host, spec }: PlacedContainer) =>
    reports.some((report) => report.host.name === host.name && report.running.has(spec.name));
  return standby.filter((placed) => restsAsStandby(placed.spec) && works(placed));
}

function recallStandby(context: Context, { environment, standby }: DesiredState): Promise<void> {
  return context.secrets.recall(environment, neededSecrets(standby, { revisions: [] }));
}

async function pull(context: Context, inputs: RolloutInputs, { standby, anew }: DesiredState) {
  const { environment, release, record, replaces } = inputs;
  context.terminal.step('pull', release.version);
  const bytesMoved = await context.hosts.pull(environment, release);
  if (replaces) await pullStandby(context, environment, { standby, record });
  if (anew) await pullStandby(context, environment, { standby: anew, record });
  return bytesMoved;
}

/** Pulls the images of what is kept to go back to: machines that take over have nothing yet. */
async function pullStandby(
  context: Context,
  environment: Environment,
  { standby, record }: Pick<DesiredState, 'standby'> & { readonly record: EnvironmentRecord },
): Promise<void> {
  const images = new Set(standby.map(({ spec }) => spec.image));
  for (const image of images) {
    const found = record.ledger.revisions.find(({ release }) => imageByDigest(release) === image);
    if (found) await context.hosts.pull(environment, found.release);
  }
}

/** Removes what is left of earlier releases. The release is recorded by now, so a failure here is not one of it. */
async function clearUp(
  context: Context,
  { environment, release }: RolloutInputs,
  { foundation: wanted, desired }: { readonly foundation: FoundationRequest; readonly desired: DesiredState },
): Promise<void> {
  const { reports: _, drifted: __, ...foundation } = wanted;
  try {
    await context.machines.reconcile(environment.name);
    // Nobody is sent to them any more, also not by the address of an environment's own machines.
    await context.hosts.closeIdle({ ...desired, turn: ended(desired.turn) });
    // Without reports, which are from before: what they miss has been made, and an edge must not be made again.
    await context.stacks.foundation(foundation, { leaving: 'go' });
    const { containers } = await context.records.environment(environment.name);
    // Other environments of this computer may need what a reproduction of one of them does not.
    const unneeded = environment.reproduces ? new Set<string>() : await unneededImages(context);
    await Promise.all([
      removeOthers(context, environment, containers),
      context.hosts.forgetImages(environment, release.repository, unneeded),
    ]);
  } catch (error) {
    context.terminal.note(`cleaning up is left to the next promotion: ${messageOf(error)}`);
  }
}

async function unneededImages(context: Context): Promise<ReadonlySet<string>> {
  const graph = await releaseGraph(context);
  const kept = keptOnHosts(graph);
  return new Set(knownReleases(graph).flatMap(({ digest }) => (kept.has(digest) ? [] : [digest])));
}
