import { containerSpecs, type ContainerSpec } from '../model/container-spec.ts';
import { countNotes, countsNow, withCounts } from '../model/role-counts.ts';
import type { DesiredState, PlacedContainer } from '../model/desired-state.ts';
import { placesOf, type Environment, type Project } from '../model/environment.ts';
import { LockageError } from '../errors.ts';
import { skippedHosts, onActiveHosts } from '../model/cordons.ts';
import { changesOf, type Plan } from '../model/plan.ts';
import type { Context } from '../operations/ports.ts';
import { currentRevision, nextNumber, sameContainers, existingContainers } from '../model/ledger.ts';
import type { Revision } from '../model/revision.ts';
import { neededSecrets, standbyAgain, standbyFor } from './standby.ts';
import type { HostReport } from '../model/host-report.ts';
import type { RolloutInputs, Versioning } from './rollout-inputs.ts';
import { freshSpecs } from './attempts.ts';
import { migrationOf } from './plan-migration.ts';

/** Everything about a rollout that can be known before it: pure but for names and time of the world. */
export function planRollout(context: Context, situation: RolloutInputs) {
  const { app } = context.project;
  const { release, record, reports, values } = situation;
  const current = currentRevision(record.ledger);
  const counts = countsNow(situation.environment, current?.counts, situation.counts);
  const environment = withCounts(situation.environment, counts);
  const versions = versionsOf(context, values);
  if (situation.counts) refuseOtherChanges(context, situation);
  const { specs, broken } = freshSpecs(app, { ...situation, environment }, versions);
  const serving = placeSpecs(environment, specs);
  const servingBefore = current ? onActiveHosts(record.ledger, existingContainers(record, current)) : [];
  const unchanged = !broken && current !== undefined && sameNames(serving, servingBefore) && runAll(reports, serving);
  const away = new Set(skippedHosts(record.ledger).without);
  // A host that is no longer configured keeps nothing: its network goes after this.
  const kept = standbyFor(record, environment.standby, serving).filter(
    ({ host }) => away.has(host.name) || placesOf(environment).some(({ name }) => name === host.name),
  );
  const { replaces } = situation;
  const standby = replaces ? placeSpecs(environment, standbyAgain(record.ledger, environment.standby, serving)) : kept;
  const migration = migrationOf(app, environment, release, versions, record);
  const revision: Omit<Revision, 'result' | 'duration'> = {
    number: nextNumber(record.ledger),
    release,
    containers: specs,
    secretVersions: versions,
    kind: replaces ? 'image' : situation.counts ? 'scale' : broken ? 'repair' : 'promote',
    ...(Object.keys(counts).length > 0 ? { counts } : {}),
    actor: context.actor,
    startedAt: new Date(context.now()).toISOString(),
    ...(environment.machines?.image ? { machineImage: environment.machines.image } : {}),
    ...skippedHosts(record.ledger),
  };
  const desired: DesiredState = {
    app,
    environment: environment.name,
    operation: context.newOperation(),
    serving,
    standby,
    fallback: servingBefore,
    wake: serving.filter(
      ({ host, spec }) =>
        record.containers.some((other) => other.spec.name === spec.name && other.host.name === host.name) &&
        !reports.some((report) => report.host.name === host.name && report.running.has(spec.name)),
    ),
    verify: serving,
    watch: environment.watch,
    guarded: true,
    ...(replaces ? { handover: { from: replaces, to: environment.hosts } } : {}),
    ...(migration ? { migration: migration.inputs } : {}),
    secrets: neededSecrets([...serving, ...standby], record.ledger, values, versions, migration?.inputs.spec),
    ledger: record.ledger,
  };
  const plan: Plan = {
    kind: revision.kind,
    environment: environment.name,
    number: revision.number,
    release,
    ...(current ? { from: current } : {}),
    containers: changesOf(record.containers, serving, servingBefore, standby),
    migration: migration?.runs ?? false,
    notes: countNotes(counts),
  };
  return { plan, desired, revision, unchanged };
}

/** secret name → short hash of its value */
function versionsOf(context: Versioning, values: RolloutInputs['values']): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, context.secrets.version(value)]));
}

/**
 * To scale, to replace machines or to take a host back is no way around the gates: what else has changed enters as a
 * promotion. Throws LockageError.
 */
export function refuseOtherChanges(
  context: { readonly project: Pick<Project, 'app'> } & Versioning,
  { environment, release, record, values }: Pick<RolloutInputs, 'environment' | 'release' | 'record' | 'values'>,
): void {
  const { app } = context.project;
  const versions = versionsOf(context, values);
  const current = currentRevision(record.ledger);
  if (!current) return;
  const asIs = withCounts(environment, countsNow(environment, current.counts));
  const wanted = { containers: containerSpecs(app, asIs, release, versions), ...skippedHosts(record.ledger) };
  if (sameContainers(wanted, current)) return;
  throw new LockageError(`the configuration of ${environment.name} has changed since revision ${current.number}`, {
    details: ['this would bring the changes in as well, past the gates'],
    hint: record.ledger.hold
      ? `${environment.name} is on hold: configure it as revision ${current.number} was, or run \`lockage resume ${environment.name}\` and promote ${release.version}.`
      : `Run \`lockage promote ${release.version} --to ${environment.name}\` first.`,
  });
}

function placeSpecs(environment: Environment, specs: readonly ContainerSpec[]): PlacedContainer[] {
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

function runAll(reports: readonly HostReport[], containers: readonly PlacedContainer[]): boolean {
  return containers.every(({ host, spec }) =>
    reports.some((report) => report.host.name === host.name && report.edge && report.running.has(spec.name)),
  );
}
