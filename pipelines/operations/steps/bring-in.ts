import { withoutCordoned, withoutPending } from '../../model/cordons.ts';
import type { Environment } from '../../model/environment.ts';
import { configurationHash } from '../../model/evidence/policy.ts';
import type { Gate } from '../../model/gate.ts';
import { currentRevision, type EnvironmentRecord } from '../../model/ledger.ts';
import { environmentNamed } from '../../model/pipeline.ts';
import type { Plan } from '../../model/plan.ts';
import type { Release } from '../../model/release.ts';
import { reportsWithout, type Healing } from '../../planning/healing.ts';
import { planRollout } from '../../planning/plan-rollout.ts';
import type { RolloutInputs } from '../../planning/rollout-inputs.ts';
import { refuseAhead } from '../../policy/fence.ts';
import { isAsSeen, refuseOtherHosts } from '../../policy/unchanged.ts';
import type { Context } from '../ports.ts';
import { operationInfo } from './operation-info.ts';
import { preflight, refuseForeignProject } from './preflight.ts';
import { agree, refuseOlderState, type Agreement } from './agree.ts';
import { foundationRequest } from './foundation-request.ts';
import { policyToRecord } from './signatures.ts';
import { rollOut, type RolloutResult } from './rollout.ts';
import { withEnvironmentLock, withEnvironmentLockIfReachable } from './with-lock.ts';

/** A release on its way into an environment. */
export interface Arrival {
  readonly environment: string;
  readonly release: Release;
  /**
   * Returns the gates that it has passed; nothing where what runs comes in once more. Throws LockageError while it may not
   * enter; asked again under the lock.
   */
  readonly checkMayEnter: (record: EnvironmentRecord) => Promise<readonly Gate[] | void>;
  /** milliseconds since 1970: when the command began */
  readonly startedAt: number;
  /** role → its number of containers from now on */
  readonly counts?: Readonly<Record<string, number>>;
  readonly reason?: string;
  /** recorded with the revision: see `Revision` */
  readonly forcedSchema?: string;
  /** why gates were passed that are not met */
  readonly breakGlass?: string;
  /** what a person is asked; absent: whether the release is promoted */
  readonly question?: string;
  /** show the plan and stop */
  readonly planOnly?: boolean;
  /** makes what has to be there before anything else is, once it was agreed to; safe to repeat */
  readonly begin?: () => Promise<void>;
  /** gives accessories their data, once they are there and before anything of the release is; safe to repeat */
  readonly fill?: () => Promise<void>;
  /** what drifted, and is made again: looked for once more under the lock, where somebody may have acted since */
  readonly heals?: {
    readonly found: Healing;
    /** the record that it was found by */
    readonly record: EnvironmentRecord;
    again(record: EnvironmentRecord): Promise<Healing>;
  };
}

/** The outcome of an arrival: carried out, or only planned. */
export type ArrivalResult = RolloutResult | { readonly outcome: 'planned'; readonly plan: Plan };

/**
 * Brings a release into an environment: all hosts serve it at the end, or all serve what they served before. What it
 * needs of machines is made first. Throws LockageError.
 */
export async function bringIn(context: Context, arrival: Arrival): Promise<ArrivalResult> {
  const asConfigured = environmentNamed(context.project, arrival.environment);
  context.terminal.step('check');
  const seen = await context.records.environment(asConfigured.name);
  const gates = await arrival.checkMayEnter(seen);
  const passed = gates ? { gates } : {};
  const { version, digest } = arrival.release;
  const configuration = configurationHash(asConfigured, context.project.keys);
  context.tell?.({ release: { version, digest }, configuration });
  if (arrival.breakGlass && gates?.some(({ passed: isPassed }) => isPassed)) {
    context.tell?.({ breakGlass: arrival.breakGlass });
    context.terminal.note(`BREAKING THE GLASS of ${asConfigured.name}: this is recorded, and shown to everybody`);
  }
  const versions = await context.secrets.read(asConfigured, currentRevision(seen.ledger)?.secretVersions);
  const missing = await context.machines.pendingChanges(asConfigured);
  if (missing.length > 0 && arrival.planOnly) {
    const environment = withoutCordoned(asConfigured, seen.ledger);
    const known = { environment, record: seen, reports: [], versions, ...passed };
    return planned(context, inputsOf(context, arrival, known), missing);
  }
  const whole = missing.length > 0 ? await makeMachines(context, asConfigured, seen, missing) : asConfigured;
  const environment = withoutCordoned(whole, seen.ledger);
  const reports = await preflight(context, environment, arrival.release);
  await refuseForeignProject(context, environment, seen, reports);
  return decide(context, arrival, { whole, known: { environment, record: seen, reports, versions, ...passed } });
}

type Known = Pick<RolloutInputs, 'environment' | 'record' | 'reports' | 'versions' | 'heals' | 'gates'>;

/** The facts about an environment before anybody is kept from changing it. */
interface Draft {
  /** with its cordoned hosts */
  readonly whole: Environment;
  readonly known: Known;
}

function inputsOf(context: Context, { release, counts, heals }: Arrival, known: Known): RolloutInputs {
  const healing = known.heals ?? heals?.found;
  const policy = policyToRecord(context.project, known);
  return {
    ...operationInfo(context),
    ...known,
    release,
    ...(counts ? { counts } : {}),
    ...(policy ? { policy } : {}),
    ...(healing ? { heals: healing, reports: reportsWithout(known.reports, healing) } : {}),
  };
}

async function decide(context: Context, arrival: Arrival, draft: Draft): Promise<ArrivalResult> {
  const inputs = inputsOf(context, arrival, draft.known);
  if (arrival.planOnly) {
    await refuseOlderState(context, draft.known);
    const notes = await context.stacks.foundationNotes(foundationRequest(inputs, draft.whole));
    return planned(context, inputs, notes);
  }
  const agreed = await agree(context, inputs, { whole: draft.whole, question: arrival.question });
  await arrival.begin?.();
  const { environment } = draft.known;
  const purpose = arrival.heals ? 'heal' : `promote ${arrival.release.version}`;
  return withEnvironmentLock(context, { environment, purpose }, () => bringInLocked(context, arrival, draft, agreed));
}

/**
 * Decides again and brings the release in. Another operator may have acted since: what is decided from here on is
 * decided under the lock.
 */
async function bringInLocked(
  context: Context,
  arrival: Arrival,
  { whole, known }: Draft,
  agreed: Agreement | undefined,
): Promise<ArrivalResult> {
  const { environment } = known;
  const record = await context.records.environment(environment.name);
  const gates = await arrival.checkMayEnter(record);
  refuseOtherHosts(whole, known.record, record);
  // While a person thinks, hosts may change as well.
  const isOld = agreed !== undefined || !isAsSeen(arrival.heals?.record ?? known.record, record);
  const reports = isOld ? await context.hosts.preflight(environment) : known.reports;
  refuseAhead(environment, record, reports);
  const heals = isOld ? await arrival.heals?.again(record) : undefined;
  const now = { ...known, record, reports, ...(heals ? { heals } : {}), ...(gates ? { gates } : {}) };
  return rollOut(context, inputsOf(context, arrival, now), {
    startedAt: agreed?.at ?? arrival.startedAt,
    whole,
    ...(agreed ? { agreed } : {}),
    ...(arrival.reason ? { reason: arrival.reason } : {}),
    ...(arrival.forcedSchema === undefined ? {} : { forcedSchema: arrival.forcedSchema }),
    ...(arrival.breakGlass ? { breakGlass: context.secrets.mask(arrival.breakGlass) } : {}),
    ...(arrival.fill ? { fill: arrival.fill } : {}),
  });
}

function planned({ terminal }: Context, inputs: RolloutInputs, notes: readonly string[]): ArrivalResult {
  const { plan: bare } = planRollout(inputs);
  const plan = { ...bare, notes: [...bare.notes, ...notes] };
  terminal.plan(plan);
  return { outcome: 'planned', plan };
}

async function makeMachines(
  context: Context,
  environment: Environment,
  { ledger }: EnvironmentRecord,
  notes: readonly string[],
): Promise<Environment> {
  const { name } = environment;
  for (const text of notes) context.terminal.note(text);
  await context.terminal.confirm(`Make ${name} ready for the release?`);
  context.terminal.step('machines', name);
  // Another operation may be leading the traffic to other machines. Those that are not there yet hold no lock.
  const there = withoutPending(withoutCordoned(environment, ledger));
  const locked = { environment: there, purpose: 'machines' };
  return withEnvironmentLockIfReachable(context, locked, () => context.machines.ensure(environment));
}
