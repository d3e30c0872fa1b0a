import type { ArchiveSummary } from '../model/archive.ts';
import type { Block } from '../model/block.ts';
import { restsAsStandby, type ContainerSpec } from '../model/container-spec.ts';
import type { PlacedContainer } from '../model/desired-state.ts';
import { allTargets, type Environment } from '../model/environment.ts';
import { knownRevision, lastNumber } from '../model/fence.ts';
import { currentRevision, rollbackCandidates, type EnvironmentRecord } from '../model/ledger.ts';
import type { Digest } from '../model/release.ts';
import type { BrokenGlass, Cordon, Drill, Hold, Revision } from '../model/revision.ts';
import { schedulesReplicas, type Target } from '../model/target.ts';
import type { LoadBalancerView, LockView, HostView, SeenContainer } from './observation.ts';

/** An environment as `status` shows it on one line, and its problems. */
export interface EnvironmentStatus {
  readonly name: string;
  readonly version?: string;
  readonly digest?: Digest;
  readonly revision?: number;
  /** ISO 8601, of the moment when it was recorded as running */
  readonly since?: string;
  readonly actor?: string;
  readonly hosts: { readonly ready: number; readonly total: number };
  /** the revision of another environment that it was made from */
  readonly reproduces?: Environment['reproduces'];
  readonly front?: LoadBalancerView & { readonly problem?: string };
  /** one line for each host, and for the load balancer, that is not as it should be */
  readonly problems: readonly string[];
  /** one line for each thing that will be wrong, such as a certificate that ends soon */
  readonly warnings?: readonly string[];
  /** the earlier versions that a rollback can go to now; the first is the default */
  readonly rollback: readonly {
    readonly version: string;
    readonly revision: number;
    readonly from: 'standby' | 'image';
  }[];
  readonly hold?: Hold;
  /** gates that what runs has not met: somebody broke the glass */
  readonly brokenGlass?: BrokenGlass;
  /** what it runs is blocked: that is among the problems, too */
  readonly blocked?: Block;
  /** the last rollback that was only tried */
  readonly drill?: Drill;
  readonly cordons: readonly Cordon[];
  readonly lock?: LockView;
  /** it runs nothing any more */
  readonly archived?: ArchiveSummary;
  /** the last attempt, if it failed */
  readonly failed?: { readonly version: string; readonly at: string; readonly actor: string; readonly reason: string };
}

/** Returns the hosts to ask: those configured with their swarm, and those where something recorded still runs. */
export function hostsToAsk(environment: Environment, record: EnvironmentRecord): Target[] {
  const wanted = allTargets(environment);
  const configured = new Set(wanted.map(({ name }) => name));
  const left = record.containers.map(({ host }) => host).filter(({ name }) => !configured.has(name));
  return [...wanted, ...new Map(left.map((host) => [host.name, host])).values()];
}

/** Sums up what is recorded of an environment and what its hosts report. */
export function environmentStatus(
  environment: Environment,
  record: EnvironmentRecord,
  views: readonly HostView[],
  lock?: LockView,
  loadBalancer?: LoadBalancerView,
): EnvironmentStatus {
  const current = currentRevision(record.ledger);
  const last = record.ledger.revisions.at(-1);
  const isNew = last === undefined && lock === undefined;
  const problems = views.map(
    (view) =>
      // An older state takes what is newer for wrong.
      laterRevision(environment, record, view) ??
      hostProblem(environment, record, view) ??
      (isNew ? unknownRelease(environment, view) : undefined),
  );
  const problem = loadBalancer && loadBalancerProblem(loadBalancer, environment.name, current);
  const warnings = views.flatMap(({ host, warnings: own = [] }) => own.map((text) => `${host.name}: ${text}`));
  // A swarm is not one more host: its managers are counted.
  const isHost = ({ host }: HostView) => !schedulesReplicas(host);
  const ready = views.filter((view, index) => isHost(view) && !view.cordon && problems[index] === undefined);
  return {
    name: environment.name,
    ...(current ? runningOf(current) : {}),
    hosts: { ready: ready.length, total: views.filter(isHost).length },
    ...(environment.reproduces ? { reproduces: environment.reproduces } : {}),
    ...(loadBalancer ? { front: { ...loadBalancer, ...(problem === undefined ? {} : { problem }) } } : {}),
    problems: [...problems, problem].filter((each) => each !== undefined),
    ...(warnings.length > 0 ? { warnings } : {}),
    rollback: rollbacks(record, views),
    ...(record.ledger.hold ? { hold: record.ledger.hold } : {}),
    ...(record.ledger.drill ? { drill: record.ledger.drill } : {}),
    cordons: record.ledger.cordons ?? [],
    ...(lock ? { lock } : {}),
    ...(last && hasFailed(last, lock) ? { failed: failureOf(last) } : {}),
  };
}

function runningOf(current: Revision) {
  const { release, number, actor, brokenGlass } = current;
  return {
    ...{ version: release.version, digest: release.digest, revision: number, since: endOf(current), actor },
    ...(brokenGlass ? { brokenGlass } : {}),
  };
}

/** Returns whether an attempt has failed; one that is under way has no outcome yet. */
function hasFailed({ result }: Revision, lock: LockView | undefined): boolean {
  return result === 'failed' || (result === 'unfinished' && !lock);
}

/** Returns what keeps requests from the machines and what to do, or undefined. */
function loadBalancerProblem(
  loadBalancer: LoadBalancerView,
  environment: string,
  current: Revision | undefined,
): string | undefined {
  const name = `the load balancer ${loadBalancer.urls.join(', ')}`;
  const again = `\`lockage promote ${current?.release.version ?? 'VERSION'} --to ${environment}\` starts it again`;
  if (loadBalancer.state !== 'running') return `${name} does not run: ${again}`;
  if (!current) return undefined;
  if (!loadBalancer.servers.some(({ healthy }) => healthy)) return `${name} reaches no machine of ${environment}`;
  const { silent = [] } = loadBalancer;
  return silent.length > 0 ? `${name}: ${silent.join('; ')}` : undefined;
}

/** Returns what keeps a host from being ready, or undefined. If nothing runs yet, a host that answers is ready. */
function hostProblem(environment: Environment, record: EnvironmentRecord, view: HostView): string | undefined {
  const { host, error, cordon } = view;
  if (cordon) return undefined;
  if (error !== undefined) return error.startsWith(`${host.name}:`) ? error : `${host.name}: ${error}`;
  const current = currentRevision(record.ledger);
  const faults = [...(current ? releaseFaults(environment, current, view) : []), ...edgeFaults(view)];
  return faults.length === 0 ? undefined : `${host.name}: ${faults.join(', ')}`;
}

/** Returns what a host has where nothing was ever recorded: this state was lost, or is another clone's. */
function unknownRelease({ name }: Environment, { host, containers, cordon }: HostView): string | undefined {
  if (cordon || !containers.some(({ part }) => part === 'release')) return undefined;
  return `${host.name}: has a release that this state does not know: \`lockage adopt ${name}\` takes over what it knows`;
}

/** Returns what a host knows that an older state does not. */
function laterRevision({ name }: Environment, { ledger }: EnvironmentRecord, view: HostView): string | undefined {
  const { host, fence } = view;
  const known = lastNumber(ledger);
  if (!fence || knownRevision(fence) <= known) return undefined;
  const knows = known === 0 ? 'this state knows none' : `this state knows ${known}`;
  return `${host.name}: knows revision ${knownRevision(fence)}, ${knows}: \`lockage adopt ${name}\` takes over what it knows`;
}

function releaseFaults(environment: Environment, current: Revision, view: HostView): string[] {
  const { host, containers } = view;
  const expected = current.containers.filter((spec) => spec.host === host.name);
  const configured = allTargets(environment).some(({ name }) => name === host.name);
  if (!configured) return [`not configured any more, and has containers of ${current.release.version}`];
  if (expected.length === 0 && environment.roles.some((role) => role.hosts.includes(host.name))) {
    return [`has nothing of revision ${current.number}`];
  }
  const hasEdge = containers.some(({ part, state }) => part === 'edge' && state === 'running');
  return [
    ...(schedulesReplicas(host) || hasEdge ? [] : ['the edge does not run']),
    ...expected
      .filter((spec) => !isRunning(view, spec))
      .map((spec) => `${spec.role} ${spec.version} ${stateOf(view, spec)}`),
    ...containers
      .filter(({ part, state }) => part === 'accessory' && state !== 'running')
      .map(({ role, state }) => `accessory ${role} is ${state}`),
    ...lostAccessories(environment, current, view).map((name) => `accessory ${name} is gone`),
    ...(view.routes === 'differ' ? ['its traffic goes elsewhere than recorded'] : []),
    ...(view.faults ?? []),
  ];
}

/** Returns the accessories that a host had for what runs, and that it is configured to have, of which it has nothing. */
function lostAccessories(
  { accessories }: Environment,
  { stoodOn }: Revision,
  { host, containers }: HostView,
): string[] {
  const recorded = stoodOn?.accessories.filter((each) => each.host === host.name) ?? [];
  return recorded
    .map(({ name }) => name)
    .filter((name) => accessories.some((each) => each.name === name && each.host === host.name))
    .filter((name) => !containers.some(({ part, role }) => part === 'accessory' && role === name));
}

/** Returns what is wrong with the edge of a host; nothing where nobody asked it. */
export function edgeFaults({ edge }: Pick<HostView, 'edge'>): string[] {
  return [
    ...(edge?.silent ?? []),
    ...(edge?.guarded === false ? ['its guard has ended: nobody would take an unconfirmed switch back'] : []),
    ...(edge?.problem === undefined ? [] : [`its edge does not say what it serves: ${edge.problem}`]),
  ];
}

/** The share of what is recorded that is true: all of it, some of it, or none. */
export type Soundness = 'sound' | 'in part' | 'not at all';

/** Returns whether environments are as they are recorded: hosts, traffic, accessories and the one address of machines. */
export function soundnessOf(environments: readonly EnvironmentStatus[]): Soundness {
  if (environments.every(({ problems }) => problems.length === 0)) return 'sound';
  return environments.some(({ hosts }) => hosts.ready > 0) ? 'in part' : 'not at all';
}

function stateOf(view: HostView, spec: ContainerSpec): string {
  const found = view.containers.find(({ name }) => name === spec.name);
  return found ? `is ${found.state}` : 'is gone';
}

function isRunning(view: HostView, spec: ContainerSpec): boolean {
  return view.containers.some(({ name, state }) => name === spec.name && state === 'running');
}

/** Returns the revisions a rollback can go to: first the default, then the others that are kept as standby. */
function rollbacks(record: EnvironmentRecord, views: readonly HostView[]): EnvironmentStatus['rollback'] {
  return rollbackCandidates(record.ledger)
    .map(({ release, number, containers }) => ({
      version: release.version,
      revision: number,
      from: wayBackOf(containers, views),
    }))
    .filter(({ from }, index) => index === 0 || from === 'standby');
}

/** Returns whether containers to go back to are there, or have to be made of their images. */
export function wayBackOf(containers: readonly ContainerSpec[], views: readonly HostView[]): 'standby' | 'image' {
  return containers.every((spec) => isKept(spec, views)) ? 'standby' : 'image';
}

/**
 * Returns whether a rollback needs only a switch of routes: containers with a route must run; the others rest
 * meanwhile, and are started then.
 */
function isKept(spec: ContainerSpec, views: readonly HostView[]): boolean {
  const view = views.find(({ host }) => host.name === spec.host);
  if (view?.cordon) return true;
  if (!view || view.error !== undefined) return false;
  return restsAsStandby(spec) ? view.containers.some(({ name }) => name === spec.name) : isRunning(view, spec);
}

function failureOf(revision: Revision): NonNullable<EnvironmentStatus['failed']> {
  return {
    version: revision.release.version,
    at: endOf(revision),
    actor: revision.actor,
    reason: revision.result === 'unfinished' ? 'it did not end' : (revision.reason ?? 'no reason is recorded'),
  };
}

/** Returns when an operation had ended and was recorded. */
export function endOf(revision: Pick<Revision, 'startedAt' | 'duration'>): string {
  const started = Date.parse(revision.startedAt);
  return Number.isNaN(started) ? revision.startedAt : new Date(started + revision.duration).toISOString();
}

/** A container of an environment with the part it plays. */
export interface ContainerStatus extends SeenContainer {
  readonly use: 'serving' | 'standby' | 'left over' | 'unknown' | 'edge' | 'accessory';
  /** it is not as it should be */
  readonly wrong: boolean;
}

/**
 * Returns all containers of a host: first those that should run, whether they are there or not, then the others that
 * were found.
 */
export function containersOf(record: EnvironmentRecord, view: HostView): ContainerStatus[] {
  const current = currentRevision(record.ledger);
  const serving = (current?.containers ?? []).filter((spec) => spec.host === view.host.name);
  const recorded = record.containers.filter(({ host }) => host.name === view.host.name);
  const standby = standbyOf(record, recorded, serving);
  const expected = [
    ...serving.map((spec) => ({ spec, use: 'serving' as const })),
    ...standby.map((spec) => ({ spec, use: 'standby' as const })),
  ];
  const known = new Set(expected.map(({ spec }) => spec.name));
  const listed = expected.map(({ spec, use }): ContainerStatus => {
    const found = view.containers.find(({ name }) => name === spec.name);
    const missing = { name: spec.name, part: 'release', role: spec.role, version: spec.version, state: 'missing' };
    const mayRest = use === 'standby' && restsAsStandby(spec) && found !== undefined;
    return { ...(found ?? missing), use, wrong: !mayRest && found?.state !== 'running' };
  });
  const others = view.containers
    .filter(({ name }) => !known.has(name))
    .map((found): ContainerStatus => {
      if (found.part === 'edge' || found.part === 'accessory') {
        return { ...found, use: found.part, wrong: found.state !== 'running' };
      }
      const isRecorded = recorded.some(({ spec }) => spec.name === found.name);
      return { ...found, use: isRecorded ? 'left over' : 'unknown', wrong: true };
    });
  return [...listed, ...others];
}

/** Returns the recorded containers of earlier good revisions, newest first. */
function standbyOf(
  record: EnvironmentRecord,
  recorded: readonly PlacedContainer[],
  serving: readonly ContainerSpec[],
): ContainerSpec[] {
  const names = new Set(recorded.map(({ spec }) => spec.name));
  const good = record.ledger.revisions.filter(({ result }) => result === 'succeeded').reverse();
  const specs = new Map<string, ContainerSpec>();
  for (const spec of good.flatMap(({ containers }) => containers)) if (names.has(spec.name)) specs.set(spec.name, spec);
  for (const { name } of serving) specs.delete(name);
  return [...specs.values()];
}
