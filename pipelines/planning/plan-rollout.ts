import { LockageError } from '../errors.ts';
import { containerSpecs, restsAsStandby, type ContainerSpec } from '../model/container-spec.ts';
import { onActiveHosts, skippedHosts } from '../model/cordons.ts';
import { samePlace, type DesiredState, type PlacedContainer, type StopFirst } from '../model/desired-state.ts';
import { placesOf, type Environment } from '../model/environment.ts';
import { lastNumber, turnOf } from '../model/fence.ts';
import type { HostReport } from '../model/host-report.ts';
import { currentRevision, existingContainers, nextNumber, sameContainers } from '../model/ledger.ts';
import { changesOf, type Plan } from '../model/plan.ts';
import type { Release } from '../model/release.ts';
import type { PlannedRevision, Revision } from '../model/revision.ts';
import { countNotes, countsNow, withCounts, type Counts } from '../model/role-counts.ts';
import { compareVersions } from '../model/version.ts';
import { volumeNotes } from '../policy/release-checks.ts';
import { schemaNotes } from '../policy/schema.ts';
import { freshSpecs } from './attempts.ts';
import { differencesOf } from './differences.ts';
import { driftedAmong, healingNotes } from './healing.ts';
import { planJobs } from './plan-verification.ts';
import { planMigration, type MigrationPlan } from './plan-migration.ts';
import type { RolloutInputs } from './rollout-inputs.ts';
import { secretsToRecord, standbyAgain, standbyFor } from './standby.ts';
import { fallbackOf, keepable, stopFirstNotes, stopFirstOf } from './stop-first.ts';

/** A rollout, decided: for people to read, for Pulumi to carry out, and for the ledger. */
export interface RolloutPlan {
  readonly plan: Plan;
  readonly desired: DesiredState;
  readonly revision: PlannedRevision;
  /** the release runs there already, as it is configured */
  readonly unchanged: boolean;
}

/**
 * Plans how a release comes into an environment: which containers are made, which serve, which are kept as standby.
 * Throws LockageError when other changes would come in with a new number of containers, or with what is healed.
 */
export function planRollout(inputs: RolloutInputs): RolloutPlan {
  if (inputs.counts ?? inputs.heals) refuseOtherChanges(inputs);
  if (inputs.replaces) refuseBeside(inputs);
  const outcome = decide(inputs);
  return {
    plan: planOf(inputs, outcome),
    desired: desiredOf(inputs, outcome),
    revision: revisionOf(inputs, outcome),
    unchanged: isUnchanged(inputs, outcome),
  };
}

/** The values that the parts of a rollout plan are made from. */
interface Outcome {
  readonly counts: Counts;
  readonly specs: readonly ContainerSpec[];
  /** some of what runs is broken, and is replaced */
  readonly repairs: boolean;
  readonly serving: readonly PlacedContainer[];
  readonly servingBefore: readonly PlacedContainer[];
  readonly standby: readonly PlacedContainer[];
  readonly stopFirst: StopFirst | undefined;
  readonly migration: MigrationPlan | undefined;
}

function decide(inputs: RolloutInputs): Outcome {
  const { record } = inputs;
  const current = currentRevision(record.ledger);
  const counts = countsNow(inputs.environment, current?.counts, inputs.counts);
  const scaled = { ...inputs, environment: withCounts(inputs.environment, counts) };
  const { specs, repairs } = freshSpecs(scaled);
  const serving = onTheirHosts(scaled.environment, specs);
  const servingBefore = current ? onActiveHosts(record.ledger, existingContainers(record, current)) : [];
  return {
    counts,
    specs,
    repairs,
    serving,
    servingBefore,
    standby: keepable(standbyOf(scaled, serving), serving),
    stopFirst: stopFirstOf({ serving, servingBefore, reports: inputs.reports }),
    migration: planMigration(scaled),
  };
}

/** Returns the standby that stays; machines that take over have none yet, so it is made there. */
function standbyOf({ environment, record, replaces }: RolloutInputs, serving: readonly PlacedContainer[]) {
  const { ledger } = record;
  if (replaces) return onTheirHosts(environment, standbyAgain(ledger, environment.standby, serving));
  const cordoned = new Set(skippedHosts(ledger).without);
  const configured = new Set(placesOf(environment).map(({ name }) => name));
  // A host that is no longer configured keeps nothing: its network goes after this.
  return standbyFor(record, environment.standby, serving).filter(
    ({ host }) => cordoned.has(host.name) || configured.has(host.name),
  );
}

function desiredOf(inputs: RolloutInputs, outcome: Outcome): DesiredState {
  const { app, environment, operation, record, reports, replaces, versions } = inputs;
  const { ledger } = record;
  const revision = isUnchanged(inputs, outcome) ? lastNumber(ledger) : nextNumber(ledger);
  const { serving, servingBefore, standby, migration, stopFirst } = outcome;
  const migrated = migration ? { migration: migration.inputs } : {};
  const anew = inputs.heals ? driftedAmong(standby, inputs.heals) : [];
  return {
    app,
    environment: environment.name,
    operation,
    basis: record.basis,
    ...(record.pending ? { attempts: record.pending } : {}),
    turn: turnOf({ revision, operation, ledger, reports }),
    serving,
    standby,
    fallback: fallbackOf(servingBefore, stopFirst),
    wake: serving.filter((placed) => isResting(inputs, placed) && !startsLater(stopFirst, placed)),
    ...(stopFirst ? { stopFirst } : {}),
    ...(anew.length > 0 ? { anew } : {}),
    verify: [...serving, ...anew.filter(({ spec }) => !restsAsStandby(spec))],
    watch: environment.watch,
    ...neighboursOf(environment),
    guarded: true,
    ...(replaces ? { handover: { from: replaces, to: environment.hosts } } : {}),
    ...migrated,
    ...jobsOf(inputs, outcome),
    secrets: secretsToRecord([...serving, ...standby], { ...record, ...migrated }, versions),
    ledger: record.ledger,
  };
}

function neighboursOf({ accessories, hosts }: Environment): Pick<DesiredState, 'neighbours'> {
  const found = hosts.filter(({ name }) => accessories.some((accessory) => accessory.host === name));
  return found.length > 0 ? { neighbours: found } : {};
}

/** Refuses other machines beside those that serve, where something must not run on both. Throws LockageError. */
function refuseBeside({ environment: { name, roles } }: RolloutInputs): void {
  const alone = roles.filter(({ replace }) => replace === 'stop-first').map((role) => role.name);
  if (alone.length === 0) return;
  throw new LockageError(`the machines of ${name} are replaced by others that run beside them for a while`, {
    details: alone.map((role) => `role ${role} has \`replace: stop-first\`: two at once are wrong`),
    hint: `Take \`replace: stop-first\` out for the time of it, and promote before and afterwards.`,
  });
}

/** Returns the jobs that what comes in has to pass; none where it is only repaired or scaled, which must not wait. */
function jobsOf(inputs: RolloutInputs, outcome: Outcome): Pick<DesiredState, 'jobs'> {
  const isAsked = ['promote', 'image'].includes(kindOf(inputs, outcome.repairs));
  if (!isAsked || !inputs.environment.verification || isUnchanged(inputs, outcome)) return {};
  return { jobs: planJobs(inputs) };
}

function startsLater(stopFirst: StopFirst | undefined, placed: PlacedContainer): boolean {
  return stopFirst?.start.some((other) => samePlace(other, placed)) ?? false;
}

/** Returns whether a container exists that does not run: a standby without traffic. */
function isResting({ record, reports }: RolloutInputs, { host, spec }: PlacedContainer): boolean {
  const exists = record.containers.some((other) => other.spec.name === spec.name && other.host.name === host.name);
  return exists && !reports.some((report) => report.host.name === host.name && report.running.has(spec.name));
}

function revisionOf(inputs: RolloutInputs, { specs, counts, repairs }: Outcome): PlannedRevision {
  const { environment, release, record, versions, actor, now } = inputs;
  return {
    number: nextNumber(record.ledger),
    release,
    containers: specs,
    secretVersions: versions,
    kind: kindOf(inputs, repairs),
    ...(Object.keys(counts).length > 0 ? { counts } : {}),
    actor,
    startedAt: new Date(now).toISOString(),
    ...(environment.machines?.image ? { machineImage: environment.machines.image } : {}),
    ...(inputs.gates && inputs.policy ? { policy: inputs.policy } : {}),
    ...skippedHosts(record.ledger),
  };
}

function kindOf({ replaces, counts, heals }: RolloutInputs, repairs: boolean): Plan['kind'] {
  if (replaces) return 'image';
  if (counts) return 'scale';
  return repairs || heals ? 'repair' : 'promote';
}

function planOf(inputs: RolloutInputs, outcome: Outcome): Plan {
  const { environment, release, record } = inputs;
  const current = currentRevision(record.ledger);
  return {
    kind: kindOf(inputs, outcome.repairs),
    environment: environment.name,
    number: nextNumber(record.ledger),
    release,
    ...(current ? { from: current } : {}),
    containers: changesOf({ ...outcome, existing: record.containers }),
    differences: differencesOf(current?.containers ?? outcome.specs, outcome.specs),
    migration: outcome.migration?.runs ?? false,
    ...(inputs.gates ? { gates: inputs.gates } : {}),
    notes: [
      ...olderNotes(release, current),
      ...schemaNotes({ release, record }),
      ...dumpNotes(environment, outcome),
      ...(inputs.heals ? [] : volumeNotes(release, environment)),
      ...stopFirstNotes(outcome.stopFirst, record.ledger),
      ...countNotes(outcome.counts),
      ...(inputs.heals ? healingNotes(inputs.heals) : []),
    ],
  };
}

function dumpNotes({ migration }: Environment, { migration: planned, servingBefore }: Outcome): string[] {
  const { dump = [] } = migration ?? {};
  if (!planned?.runs || dump.length === 0 || servingBefore.length === 0) return [];
  return [`before its migration, a dump is taken of ${dump.join(', ')}`];
}

/** Notes that a release is older. A person may have mistaken a version: going back is what a rollback is for. */
function olderNotes({ version }: Release, current: Revision | undefined): string[] {
  const now = current?.release.version;
  if (now === undefined || compareVersions(version, now) >= 0) return [];
  return [`${version} is older than ${now}, which runs`];
}

function isUnchanged({ record, reports, heals }: RolloutInputs, { repairs, serving, servingBefore }: Outcome): boolean {
  const runs = currentRevision(record.ledger) !== undefined;
  const isDue = heals !== undefined && heals.treated.length > 0;
  return runs && !isDue && !repairs && sameNames(serving, servingBefore) && allRun(reports, serving);
}

/**
 * Refuses to bring in with a scaled role, a replaced machine, a returning host or what is healed what else has changed: that enters as a
 * promotion, past the gates. Throws LockageError.
 */
export function refuseOtherChanges(
  inputs: Pick<RolloutInputs, 'app' | 'environment' | 'release' | 'record' | 'versions'>,
): void {
  const { app, environment, release, record, versions } = inputs;
  const current = currentRevision(record.ledger);
  if (!current) return;
  const asIs = withCounts(environment, countsNow(environment, current.counts));
  const wanted = {
    containers: containerSpecs({ app, environment: asIs, release, versions }),
    ...skippedHosts(record.ledger),
  };
  if (sameContainers(wanted, current)) return;
  const { name } = environment;
  throw new LockageError(`the configuration of ${name} has changed since revision ${current.number}`, {
    details: ['this would bring the changes in as well, past the gates'],
    hint: record.ledger.hold
      ? `${name} is on hold: configure it as revision ${current.number} was, or run \`lockage resume ${name}\` and promote ${release.version}.`
      : `Run \`lockage promote ${release.version} --to ${name}\` first.`,
  });
}

function onTheirHosts(environment: Environment, specs: readonly ContainerSpec[]): PlacedContainer[] {
  return specs.flatMap((spec) => {
    const host = placesOf(environment).find(({ name }) => name === spec.host);
    return host ? [{ host, spec }] : [];
  });
}

function sameNames(a: readonly PlacedContainer[], b: readonly PlacedContainer[]): boolean {
  const names = (list: readonly PlacedContainer[]) =>
    list
      .map(({ host, spec }) => `${host.name}/${spec.name}`)
      .sort()
      .join();
  return names(a) === names(b);
}

function allRun(reports: readonly HostReport[], containers: readonly PlacedContainer[]): boolean {
  return containers.every(({ host, spec }) =>
    reports.some((report) => report.host.name === host.name && report.edge && report.running.has(spec.name)),
  );
}
