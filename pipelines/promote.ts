import {
  containerSpecs,
  environmentNames,
  fingerprint,
  placesOf,
  roleContainers,
  type ContainerSpec,
} from './container.ts';
import { countNotes, countsNow, withCounts } from './counts.ts';
import type { Desired, Placed } from './desired.ts';
import type { Environment, Role } from './environment.ts';
import { ExitCode, LockageError } from './errors.ts';
import { checkNames, checkPlatform, checkUser, judge, releaseNamed } from './gate.ts';
import { carryOut, settleAsRecorded } from './operation.ts';
import { environmentNamed } from './pipeline.ts';
import { changesOf, type Plan } from './plan.ts';
import type { HostReport, World } from './ports.ts';
import { currentRevision, keptReleases, nextNumber, sameContainers, type EnvironmentRecord } from './record.ts';
import type { Release } from './release.ts';
import type { Revision } from './revision.ts';
import { existingContainers, neededSecrets, standbyFor } from './standby.ts';

export interface PromoteRequest {
  readonly version: string;
  readonly environment: string;
  readonly reason?: string;
  /** role → its number of containers from now on: the release runs there already, and is only scaled */
  readonly counts?: Readonly<Record<string, number>>;
  /** show the plan and stop */
  readonly planOnly?: boolean;
}

export interface PromoteResult {
  readonly outcome: 'promoted' | 'unchanged' | 'planned';
  readonly plan?: Plan;
  readonly revision?: Revision;
  /** host name → bytes */
  readonly bytesMoved?: Readonly<Record<string, number>>;
}

/**
 * Brings a release into an environment: all hosts serve it at the end, or all serve what they served before.
 * Throws LockageError: refused (nothing changed), locked, or failed and rolled back.
 */
export async function promote(world: World, request: PromoteRequest): Promise<PromoteResult> {
  const { project, terminal } = world;
  const startedAt = world.now();
  const environment = environmentNamed(project, request.environment);

  terminal.step('resolve', `${request.version} for ${environment.name}`);
  const release = releaseNamed(await world.records.releases(), request.version);
  checkUser(release, environment);
  await world.registry.verify(release);

  terminal.step('judge');
  const seen = await world.records.environment(environment.name);
  await mayEnter(world, request, release, seen);
  const values = await world.secrets.read(environment);

  terminal.step('preflight', environment.hosts.map(({ name }) => name).join(' '));
  const early = await world.hosts.preflight(environment);
  checkPlatform(release, early);

  if (request.planOnly) {
    const { plan: bare } = assemble(world, { ...request, environment, release, record: seen, reports: early, values });
    const plan = { ...bare, notes: [...bare.notes, ...(await world.stacks.foundationNotes(environment, early))] };
    terminal.plan(plan);
    return { outcome: 'planned', plan };
  }

  const unlock = await world.hosts.lock(environment, `promote ${release.version}`);
  try {
    // Another operator may have acted since: what is decided from here on is decided under the lock.
    const record = await world.records.environment(environment.name);
    await mayEnter(world, request, release, record);
    const changed = nextNumber(record.ledger) !== nextNumber(seen.ledger);
    const reports = changed ? await world.hosts.preflight(environment) : early;
    const situation = { ...request, environment, release, record, reports, values };
    const { plan, desired, revision, unchanged } = assemble(world, situation);
    const notes = await world.stacks.foundationNotes(environment, reports);
    if (unchanged) {
      const runs = `${environment.name} already runs ${release.version} (revision ${plan.from?.number})`;
      terminal.note(notes.length === 0 ? `${runs}: nothing to do` : `${runs}; ${notes.join('; ')}`);
      if (notes.length > 0) {
        await terminal.confirm(`Change what ${environment.name} stands on?`);
        await world.stacks.foundation(environment, reports, { leaving: 'go' });
      }
      // A killed operation may have left other routes, or containers, than those of the record.
      await settleAsRecorded(world, environment, desired);
      return { outcome: 'unchanged', plan };
    }
    checkNames(project.app, plan.containers, reports);
    terminal.step('pull', release.version);
    const bytesMoved = await world.hosts.pull(environment, release);
    terminal.plan({ ...plan, notes: [...plan.notes, ...notes] });
    await terminal.confirm(
      `${request.counts ? 'Scale' : 'Promote'} ${release.version} ${request.counts ? 'in' : 'to'} ${environment.name}?`,
    );
    await world.stacks.foundation(environment, reports, { leaving: 'stay' });
    const recorded = await carryOut(world, {
      desired,
      before: record,
      revision: { ...revision, ...(request.reason ? { reason: request.reason } : {}) },
      startedAt,
    });
    await clearUp(world, environment, release);
    return { outcome: 'promoted', plan, revision: recorded, bytesMoved };
  } finally {
    await unlock();
  }
}

/** What is left of earlier releases goes. The release is recorded by now, so a failure here is not one of it. */
async function clearUp(world: World, environment: Environment, release: Release): Promise<void> {
  try {
    // Without reports, which are from before: what they miss has been made, and an edge must not be made again.
    await world.stacks.foundation(environment, undefined, { leaving: 'go' });
    await world.hosts.removeOthers(environment, (await world.records.environment(environment.name)).containers);
    await world.hosts.forgetImages(environment, release.repository, await neededDigests(world));
  } catch (error) {
    world.terminal.note(`cleaning up is left to the next promotion: ${(error as Error).message}`);
  }
}

/** The gates, which a release that runs there has passed. Throws LockageError. */
async function mayEnter(
  world: World,
  request: PromoteRequest,
  release: Release,
  record: EnvironmentRecord,
): Promise<void> {
  const environment = environmentNamed(world.project, request.environment);
  if (request.counts === undefined) {
    return judge(release, environment, record, await upstreamRecords(world, environment));
  }
  const current = currentRevision(record.ledger);
  if (current?.release.digest === release.digest) return;
  throw new LockageError(`${environment.name} runs ${current?.release.version} by now: nothing was scaled`, {
    hint: 'Run the same command again.',
  });
}

async function upstreamRecords(world: World, environment: Environment): Promise<Record<string, EnvironmentRecord>> {
  const records = await Promise.all(
    environment.after.map(async (name) => [name, await world.records.environment(name)] as const),
  );
  return Object.fromEntries(records);
}

/** Images that some environment runs, or may go back to: environments can share a host. */
async function neededDigests(world: World): Promise<ReadonlySet<string>> {
  const records = await Promise.all(world.project.environments.map(({ name }) => world.records.environment(name)));
  return new Set(records.flatMap(({ ledger }) => keptReleases(ledger).map(({ digest }) => digest)));
}

interface Situation extends Pick<PromoteRequest, 'counts'> {
  readonly environment: Environment;
  readonly release: Release;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  /** secret name → value */
  readonly values: Readonly<Record<string, string>>;
}

/** Everything about the promotion that can be known before it: pure but for names and time of the world. */
function assemble(world: World, situation: Situation) {
  const { app } = world.project;
  const { release, record, reports, values } = situation;
  const current = currentRevision(record.ledger);
  const counts = countsNow(situation.environment, current?.counts, situation.counts);
  const environment = withCounts(situation.environment, counts);
  const versions = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, world.secrets.version(value)]),
  );
  if (situation.counts) refuseOtherChanges(app, situation, versions);
  const { specs, broken } = freshSpecs(app, { ...situation, environment }, versions);
  const serving = placed(environment, specs);
  const servingBefore = current ? existingContainers(record, current) : [];
  const unchanged = !broken && current !== undefined && sameNames(serving, servingBefore) && runAll(reports, serving);
  // A host that is no longer configured keeps nothing: its network goes after this.
  const standby = standbyFor(record, environment.standby, serving).filter(({ host }) =>
    placesOf(environment).some(({ name }) => name === host.name),
  );
  const migration = migrationOf(app, environment, release, versions, record);
  const revision: Omit<Revision, 'result' | 'duration'> = {
    number: nextNumber(record.ledger),
    release,
    containers: specs,
    secretVersions: versions,
    kind: situation.counts ? 'scale' : broken ? 'repair' : 'promote',
    ...(Object.keys(counts).length > 0 ? { counts } : {}),
    actor: world.actor,
    startedAt: new Date(world.now()).toISOString(),
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

/** To scale is no way around the gates: what else has changed enters as a promotion. Throws LockageError. */
function refuseOtherChanges(app: string, situation: Situation, versions: Record<string, string>): void {
  const { environment, release, record } = situation;
  const current = currentRevision(record.ledger);
  if (!current) return;
  const asIs = withCounts(environment, countsNow(environment, current.counts));
  if (sameContainers({ containers: containerSpecs(app, asIs, release, versions) }, current)) return;
  throw new LockageError(`the configuration of ${environment.name} has changed since revision ${current.number}`, {
    details: ['to scale would bring the other changes in as well, past the gates'],
    hint: `Run \`lockage promote ${release.version} --to ${environment.name}\` first.`,
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
  const { route: _, ...spec } = like;
  const base = environmentNames(app, environment.name).network;
  const name = `${base}-migration-${fingerprint(spec)}`;
  const inputs = { host, spec: { ...spec, name, alias: name }, timeout: migration.timeout };
  return { inputs, runs: record.migration?.spec.name !== name };
}
