import { LockageError, LockedError, messageOf, OvertakenError } from '../errors.ts';
import { hostsToAsk } from '../inspection/status.ts';
import { withoutCordoned, withoutPending } from '../model/cordons.ts';
import type { Environment } from '../model/environment.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { environmentNamed } from '../model/pipeline.ts';
import type { HostStorage } from '../model/storage.ts';
import { edgeHosts, type Host, type Target } from '../model/target.ts';
import {
  planPruning,
  platformImagesOf,
  storedPlaces,
  type PruningInputs,
  type StoredPlace,
  type StoredThing,
} from '../planning/plan-pruning.ts';
import { refuseAhead } from '../policy/fence.ts';
import type { Context } from './ports.ts';
import { environmentsInUse } from './steps/in-use.ts';
import { releaseGraph, type RecordedGraph } from './steps/release-graph.ts';
import { withEnvironmentLockIfReachable } from './steps/with-lock.ts';

/** The environment whose hosts are to be cleared; absent: all of them, the registry, and the images of machines here. */
export interface PruneRequest {
  readonly environment?: string;
  /** show what would go, and stop */
  readonly planOnly?: boolean;
}

/** The outcome of a pruning. */
export interface PruneResult {
  readonly outcome: 'planned' | 'nothing to do' | 'pruned';
  /** all that was looked at; of what was to go, what is gone is not kept */
  readonly things: readonly StoredThing[];
  /** bytes of what is gone, as far as it is known */
  readonly freed: number;
  /** what could not be looked at, or not be removed, and why */
  readonly failed: readonly { readonly place: string; readonly reason: string }[];
  /** what is worth knowing besides: a registry that allows no deletion */
  readonly notes: readonly string[];
}

/**
 * Removes images and nameless volumes that neither runs nor anything that an environment may go back to need: on hosts, and,
 * for all environments together, in the registry and among the images of machines. A host that does not answer is named,
 * and the other hosts are done; registry and machines’ images only where all hosts say that this state is no older one. Throws LockageError.
 */
export async function prune(context: Context, { environment, planOnly }: PruneRequest): Promise<PruneResult> {
  const { project, terminal } = context;
  const chosen =
    environment === undefined ? await environmentsInUse(context) : [environmentNamed(project, environment)];
  const scope: Scope = { environments: chosen, whole: environment === undefined };
  const seen = await survey(context, scope);
  const things = planPruning(seen);
  const due = things.filter(({ kept }) => !kept);
  const result = { things, freed: 0, failed: seen.silent, notes: [] };
  terminal.pruning(things);
  if (planOnly) return { ...result, outcome: 'planned' };
  if (due.length === 0) return { ...result, outcome: 'nothing to do' };
  await terminal.confirm(`Remove ${due.length === 1 ? 'this' : `these ${due.length} things`}?`);
  return withLocks(context, chosen, () => pruneShown(context, scope, due));
}

/** The environments that are looked at. */
interface Scope {
  readonly environments: readonly Environment[];
  /** these are all: the registry and the images of machines are looked at, too */
  readonly whole: boolean;
}

/** What was found, and what could not be looked at. */
interface Survey extends PruningInputs {
  readonly silent: PruneResult['failed'];
}

/** Looks at what is stored, and what is recorded. Throws LockageError where hosts know more than is recorded. */
async function survey(context: Context, { environments, whole }: Scope): Promise<Survey> {
  const graph = await releaseGraph(context);
  const hosts = await Promise.all(environments.map((each) => onHosts(context, each, graph)));
  const unsure = environments.flatMap((each, index) => unsureOf(recordOf(graph, each), hosts[index] ?? []));
  // What goes there cannot be had again, so nothing goes while this state may be an older one.
  const isCertain = whole && unsure.length === 0;
  const registry = isCertain ? await inRegistry(context, graph) : { images: [] };
  const problem = whole && !isCertain ? leftAlone(unsure) : registry.error;
  return {
    graph,
    hosts: storedPlaces(hosts.flat()),
    registry: registry.images,
    machines: await machineImages(context, graph, isCertain),
    silent: [...silentAmong(hosts.flat()), ...(problem === undefined ? [] : [{ place: 'registry', reason: problem }])],
  };
}

/** Returns the hosts that may know more than is recorded, and do not say so. One where nothing ever served was told nothing. */
function unsureOf({ containers }: EnvironmentRecord, found: readonly HostStorage[]): string[] {
  const told = new Set(containers.flatMap(({ host }) => edgeHosts(host).map(({ name }) => name)));
  return found
    .filter((each) => 'error' in each || (told.has(each.host.name) && each.fence === undefined))
    .map(({ host }) => host.name);
}

function leftAlone(unsure: readonly string[]): string {
  return `left alone, and so are images of machines: ${unsure.join(', ')} may know more than this state`;
}

async function onHosts(
  { storage, project }: Context,
  environment: Environment,
  graph: RecordedGraph,
): Promise<readonly HostStorage[]> {
  const record = recordOf(graph, environment);
  const active = withoutPending(withoutCordoned(environment, record.ledger));
  const away = new Set((record.ledger.cordons ?? []).map(({ host }) => host));
  const hosts = hostsToAsk(active, record)
    .filter(isHost)
    .filter(({ name }) => !away.has(name));
  const found = await storage.onHosts(environment, hosts, repositoriesOf(project, graph));
  refuseAhead(environment, record, found);
  return found;
}

function recordOf({ environments }: RecordedGraph, { name }: Environment): EnvironmentRecord {
  const found = environments.find((each) => each.name === name);
  if (!found) throw new LockageError(`no environment ${name}`);
  return found.record;
}

const isHost = (target: Target): target is Host => target.kind === 'host';

function repositoriesOf({ repository }: Context['project'], { releases }: RecordedGraph): string[] {
  return [...new Set([repository, ...releases.map((release) => release.repository)])];
}

/** A registry that does not answer keeps nobody from clearing hosts. */
async function inRegistry({ storage }: Context, { releases }: RecordedGraph) {
  try {
    const distinct = new Map(releases.map((release) => [release.digest, release]));
    return { images: await storage.inRegistry([...distinct.values()]) };
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    return { images: [], error: messageOf(error) };
  }
}

async function machineImages(
  { storage, records, project }: Context,
  graph: RecordedGraph,
  whole: boolean,
): Promise<PruningInputs['machines']> {
  if (!whole || !project.environments.some(({ machines }) => machines))
    return { stored: [], recorded: [], environments: [] };
  const environments = graph.environments.map(({ name, record: { ledger } }) => {
    const image = project.environments.find((each) => each.name === name)?.machines?.image;
    return { name, ledger, ...(image === undefined ? {} : { image }) };
  });
  return { stored: await storage.machineImages(), recorded: await records.machineImages(), environments };
}

/** A host that several environments have is named once. */
function silentAmong(hosts: readonly HostStorage[]): PruneResult['failed'] {
  const missing = hosts.flatMap((each) => ('error' in each ? [[each.host.name, each.error] as const] : []));
  return [...new Map(missing)].map(([place, reason]) => ({ place, reason }));
}

/** Holds the locks of all these environments: what one of them is about to bring in may be what another needs no more. */
async function withLocks<T>(
  context: Context,
  [first, ...others]: readonly Environment[],
  work: () => Promise<T>,
): Promise<T> {
  if (!first) return work();
  return withEnvironmentLockIfReachable(context, { environment: first, purpose: 'prune' }, () =>
    withLocks(context, others, work),
  );
}

/** Removes what was shown, as far as it is still needed no more. */
async function pruneShown(context: Context, scope: Scope, shown: readonly StoredThing[]): Promise<PruneResult> {
  const now = await survey(context, scope);
  const things = planPruning(now);
  const isShown = (thing: StoredThing) => shown.some(({ place, id }) => place === thing.place && id === thing.id);
  const due = things.filter((thing) => !thing.kept && isShown(thing));
  const ends = [
    ...(await Promise.all(now.hosts.map((host) => pruneHost(context, host, due)))).flat(),
    ...(await pruneRegistry(context, now, due)),
    ...(await pruneMachineImages(context, due)),
  ];
  const gone = ends.filter(({ problem, refused }) => problem === undefined && refused === undefined);
  const unfreed = await freeRegistry(context, gone);
  return {
    outcome: 'pruned',
    things: [...gone.map(({ thing }) => thing), ...things.filter(({ kept }) => kept)],
    freed: gone.reduce((sum, { thing }) => sum + (thing.bytes ?? 0), 0),
    failed: [
      ...now.silent,
      ...unfreed,
      ...ends.flatMap(({ thing, problem }) => (problem === undefined ? [] : [{ place: thing.place, reason: problem }])),
    ],
    notes: [...new Set(ends.flatMap(({ refused }) => refused ?? []))],
  };
}

/** How the removal of a thing ended. */
interface End {
  readonly thing: StoredThing;
  readonly problem?: string;
  /** the place does not allow it, which is no failure */
  readonly refused?: string;
}

/** Removes a thing. What keeps it there keeps no other thing; whoever was overtaken removes nothing more. */
async function ending({ signal }: Context, thing: StoredThing, work: () => Promise<string | undefined>): Promise<End> {
  signal.throwIfAborted();
  try {
    const refused = await work();
    return { thing, ...(refused === undefined ? {} : { refused }) };
  } catch (error) {
    if (!(error instanceof LockageError) || error instanceof OvertakenError || error instanceof LockedError)
      throw error;
    return { thing, problem: messageOf(error) };
  }
}

async function pruneHost(context: Context, found: StoredPlace, due: readonly StoredThing[]): Promise<End[]> {
  const { storage, terminal } = context;
  const own = due.filter(({ place }) => place === found.place);
  if (own.length === 0) return [];
  terminal.step('prune', found.place);
  const ends: End[] = [];
  for (const thing of own) {
    const image = found.images.find(({ digests }) => digests[0] === thing.id);
    ends.push(
      await ending(context, thing, async () => {
        await (image ? storage.removeImage(found.host, image.names) : storage.removeVolume(found.host, thing.id));
        return undefined;
      }),
    );
  }
  return ends;
}

async function pruneRegistry(context: Context, seen: Survey, due: readonly StoredThing[]): Promise<End[]> {
  const { storage, terminal } = context;
  const { registry } = seen;
  const own = registry.flatMap((image) => {
    const thing = due.find(({ place, id }) => place === 'registry' && id === image.digest);
    return thing ? [{ image, thing }] : [];
  });
  if (own.length > 0) terminal.step('prune', 'registry');
  const ends: End[] = [];
  for (const { image, thing } of own) {
    const remove = async () => {
      // First what stands for all of them: nobody is to find a release of which something is gone.
      for (const digest of [image.digest, ...platformImagesOf(image.digest, seen)])
        if (!(await storage.removeFromRegistry({ repository: image.repository, digest })))
          return `${image.repository} does not allow deletion: what is needed no more stays there`;
      return undefined;
    };
    ends.push(await ending(context, thing, remove));
  }
  return ends;
}

/** What is removed from a registry keeps its disk until that registry collects its garbage. */
async function freeRegistry({ storage }: Context, gone: readonly End[]): Promise<PruneResult['failed']> {
  if (!gone.some(({ thing }) => thing.place === 'registry')) return [];
  try {
    await storage.freeRegistry();
    return [];
  } catch (error) {
    if (!(error instanceof LockageError)) throw error;
    return [{ place: 'registry', reason: messageOf(error) }];
  }
}

async function pruneMachineImages(context: Context, due: readonly StoredThing[]): Promise<End[]> {
  const ends: End[] = [];
  for (const thing of due.filter(({ kind }) => kind === 'machine image')) {
    ends.push(
      await ending(context, thing, async () => {
        await context.storage.removeMachineImage(thing.id);
        return undefined;
      }),
    );
  }
  return ends;
}
