import {
  containerSpecs,
  environmentNames,
  fingerprint,
  placesOf,
  roleContainers,
  type ContainerSpec,
} from '../model/container-spec.ts';
import { countNotes, countsNow, withCounts } from '../model/role-counts.ts';
import type { Desired, Placed } from '../model/desired-state.ts';
import type { Environment, Host, Project, Role } from '../model/environment.ts';
import { ExitCode, LockageError } from '../errors.ts';
import { absent, inService } from '../model/cordons.ts';
import { changesOf, type Plan } from '../model/plan.ts';
import type { HostReport, World } from '../operations/ports.ts';
import { currentRevision, nextNumber, sameContainers, type EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { Revision } from '../model/revision.ts';
import { existingContainers, neededSecrets, standbyAgain, standbyFor } from './standby.ts';

/** What a rollout is decided from. */
export interface Situation {
  /** with the hosts that are in service */
  readonly environment: Environment;
  readonly release: Release;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  /** secret name → value */
  readonly values: Readonly<Record<string, string>>;
  /** role → its number of containers from now on; absent where nothing is scaled */
  readonly counts?: Readonly<Record<string, number>>;
  /** the machines that those of the environment take over from, with everything; the record is as if they had run it */
  readonly replaces?: readonly Host[];
}

/** Everything about a rollout that can be known before it: pure but for names and time of the world. */
export function assemble(world: World, situation: Situation) {
  const { app } = world.project;
  const { release, record, reports, values } = situation;
  const current = currentRevision(record.ledger);
  const counts = countsNow(situation.environment, current?.counts, situation.counts);
  const environment = withCounts(situation.environment, counts);
  const versions = versionsOf(world, values);
  if (situation.counts) refuseOtherChanges(world, situation);
  const { specs, broken } = freshSpecs(app, { ...situation, environment }, versions);
  const serving = placed(environment, specs);
  const servingBefore = current ? inService(record.ledger, existingContainers(record, current)) : [];
  const unchanged = !broken && current !== undefined && sameNames(serving, servingBefore) && runAll(reports, serving);
  const away = new Set(absent(record.ledger).without);
  // A host that is no longer configured keeps nothing: its network goes after this.
  const kept = standbyFor(record, environment.standby, serving).filter(
    ({ host }) => away.has(host.name) || placesOf(environment).some(({ name }) => name === host.name),
  );
  const { replaces } = situation;
  const standby = replaces ? placed(environment, standbyAgain(record.ledger, environment.standby, serving)) : kept;
  const migration = migrationOf(app, environment, release, versions, record);
  const revision: Omit<Revision, 'result' | 'duration'> = {
    number: nextNumber(record.ledger),
    release,
    containers: specs,
    secretVersions: versions,
    kind: replaces ? 'image' : situation.counts ? 'scale' : broken ? 'repair' : 'promote',
    ...(Object.keys(counts).length > 0 ? { counts } : {}),
    actor: world.actor,
    startedAt: new Date(world.now()).toISOString(),
    ...(environment.machines?.image ? { machineImage: environment.machines.image } : {}),
    ...absent(record.ledger),
  };
  const desired: Desired = {
    app,
    environment: environment.name,
    operation: world.newOperation(),
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

interface Versioning {
  readonly secrets: Pick<World['secrets'], 'version'>;
}

/** secret name → short hash of its value */
function versionsOf(world: Versioning, values: Situation['values']): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, world.secrets.version(value)]));
}

/**
 * To scale, to replace machines or to take a host back is no way around the gates: what else has changed enters as a
 * promotion. Throws LockageError.
 */
export function refuseOtherChanges(
  world: { readonly project: Pick<Project, 'app'> } & Versioning,
  { environment, release, record, values }: Pick<Situation, 'environment' | 'release' | 'record' | 'values'>,
): void {
  const { app } = world.project;
  const versions = versionsOf(world, values);
  const current = currentRevision(record.ledger);
  if (!current) return;
  const asIs = withCounts(environment, countsNow(environment, current.counts));
  const wanted = { containers: containerSpecs(app, asIs, release, versions), ...absent(record.ledger) };
  if (sameContainers(wanted, current)) return;
  throw new LockageError(`the configuration of ${environment.name} has changed since revision ${current.number}`, {
    details: ['this would bring the changes in as well, past the gates'],
    hint: record.ledger.hold
      ? `${environment.name} is on hold: configure it as revision ${current.number} was, or run \`lockage resume ${environment.name}\` and promote ${release.version}.`
      : `Run \`lockage promote ${release.version} --to ${environment.name}\` first.`,
  });
}

/**
 * The specs of the release. Where its containers are recorded but some do not run as they should, the next attempt's
 * names are taken: what is broken is replaced by new containers and never repaired.
 */
function freshSpecs(app: string, situation: Situation, versions: Record<string, string>) {
  const { environment, release, record, reports } = situation;
  const current = currentRevision(record.ledger);
  const attempts = Array.from({ length: 100 }, (_, attempt) => attempt);
  // What runs now may be a later attempt: if it does well, it is what the release is here.
  const now = current?.release.digest === release.digest ? namesOf(current.containers) : '';
  const ofNow = attempts.find(
    (attempt) => namesOf(containerSpecs(app, environment, release, versions, attempt)) === now,
  );
  for (const attempt of ofNow === undefined ? attempts : [ofNow, ...attempts]) {
    const specs = containerSpecs(app, environment, release, versions, attempt);
    const recorded = specs.filter((spec) => record.containers.some(({ spec: other }) => other.name === spec.name));
    const broken = recorded.some((spec) => {
      const report = reports.find(({ host }) => host.name === spec.host);
      // A standby without traffic rests; everything else has to run.
      const rests = !spec.route && !current?.containers.some(({ name }) => name === spec.name);
      return rests ? !report?.present.has(spec.name) : !report?.running.has(spec.name);
    });
    if (!broken) return { specs, broken: attempt > 0 && attempt !== ofNow };
  }
  throw new LockageError(`100 attempts at ${release.version} are recorded in ${environment.name}`, {
    code: ExitCode.refused,
    hint: 'Make a new release.',
  });
}

function namesOf(specs: readonly ContainerSpec[]): string {
  return specs
    .map(({ name }) => name)
    .sort()
    .join();
}

function placed(environment: Environment, specs: readonly ContainerSpec[]): Placed[] {
  return specs.flatMap((spec) => {
    const host = placesOf(environment).find(({ name }) => name === spec.host);
    return host ? [{ host, spec }] : [];
  });
}

function sameNames(a: readonly Placed[], b: readonly Placed[]): boolean {
  const names = (list: readonly Placed[]) =>
    list
      .map(({ host, spec }) => `${host.name}/${spec.name}`)
      .sort()
      .join();
  return names(a) === names(b);
}

function runAll(reports: readonly HostReport[], containers: readonly Placed[]): boolean {
  return containers.every(({ host, spec }) =>
    reports.some((report) => report.host.name === host.name && report.edge && report.running.has(spec.name)),
  );
}

/** The migration as it shall be recorded, and whether it runs: once for an image and its migration's configuration. */
function migrationOf(
  app: string,
  environment: Environment,
  release: Release,
  versions: Record<string, string>,
  record: EnvironmentRecord,
) {
  const { migration } = environment;
  const [host] = environment.hosts;
  const [role] = environment.roles;
  if (!migration || !host || !role) return record.migration ? { inputs: record.migration, runs: false } : undefined;
  const once: Role = {
    ...role,
    name: 'migration',
    command: migration.command,
    count: 1,
    hosts: [host.name],
    env: migration.env,
    secrets: migration.secrets,
    health: { check: { kind: 'running', for: 0 }, interval: 0, healthy: 1, timeout: migration.timeout },
  };
  const [like] = roleContainers(app, environment, once, host, release, versions);
  if (!like) return undefined;
  const { route: _, name: __, alias: ___, host: ____, ...spec } = like;
  // Not by its host: on whichever one it ran, it ran.
  const name = `${environmentNames(app, environment.name).network}-migration-${fingerprint({ ...spec, env: migration.env })}`;
  if (record.migration?.spec.name === name) return { inputs: record.migration, runs: false };
  const inputs = { host, spec: { ...spec, host: host.name, name, alias: name }, timeout: migration.timeout };
  return { inputs, runs: true };
}
