import { randomUUID } from 'node:crypto';
import {
  BrokenError,
  detailsOf,
  InterruptedError,
  LockageError,
  messageOf,
  passesUnchanged,
  RolledBackError,
} from '../../pipelines/errors.ts';
import { publishAddress } from '../../pipelines/model/container-spec.ts';
import type { Environment, Project } from '../../pipelines/model/environment.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { isPrivateAddress } from '../../pipelines/model/ip-address.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { FoundationRequest } from '../../pipelines/operations/ports/stacks.ts';
import type { SecretVersions } from '../../pipelines/planning/rollout-inputs.ts';
import { partKey, type ProviderContext } from '../context/provider-context.ts';
import { providerContext, type Session } from '../context/session.ts';
import { dockerHost } from '../docker/address.ts';
import { containerName } from '../docker/api/names.ts';
import { labels } from '../docker/labels.ts';
import { checkAccessory } from '../hosts/accessory-check.ts';
import { refuseWithoutData } from '../hosts/accessory-move.ts';
import { openPorts, type HostPorts } from '../edge/published-ports.ts';
import { allOf } from '../hosts/all-hosts.ts';
import { tryEdge } from '../hosts/edge-trial.ts';
import { refuseForeignParts } from '../hosts/foreign-parts.ts';
import { restartingContainers, runningImages, standingOn, type Standing } from '../hosts/standing.ts';
import {
  edgesOf,
  foundationOf,
  imageUses,
  missingParts,
  refuseWhileCordoned,
} from '../programs/foundation-fingerprint.ts';
import { accessoryInputs, edgeInputs } from '../programs/foundation-inputs.ts';
import type { FoundationPlan } from '../programs/foundation-plan.ts';
import { foundationStack } from '../pulumi/stack-names.ts';
import type { StackRunner } from '../pulumi/stack-runner.ts';
import type { RegistryClient } from '../registry/client.ts';
import type { FoundationInputs, Place } from '../resources/inputs.ts';
import { failureLines, foundationFailure, hintOf } from './foundation-failure.ts';
import { addressOf } from '../system/look-up.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';
import type { StandingRecord } from '../workloads/runtime.ts';
import { pinImages, type StandIn } from './foundation-images.ts';
import type { RecordsAdapter } from './records.ts';

interface Dependencies {
  readonly project: Pick<Project, 'app' | 'edgeImage'>;
  readonly session: Session;
  readonly records: RecordsAdapter;
  readonly registry: RegistryClient;
  /** what serves where the edge’s image cannot be had */
  readonly standIn?: StandIn | undefined;
  readonly stacks: () => Promise<StackRunner>;
}

/** The difference between a foundation as it is recorded and as it is wanted. */
interface FoundationState {
  readonly due: boolean;
  /** what it was made from; undefined where there is none */
  readonly recorded: FoundationInputs | undefined;
  /** versions of the secrets that accessories get */
  readonly secretVersions: Record<string, string>;
  /** the fingerprint of what is wanted */
  readonly wanted: string;
  readonly edges: Readonly<Record<string, string>>;
  readonly ports: HostPorts;
  /** accessories that are configured no more, and stay for now */
  readonly kept: readonly string[];
  /** parts that hosts said they do not have, or that drifted */
  readonly missing: readonly string[];
  /** the latter: see `partKey` */
  readonly replaced: ReadonlySet<string>;
}

/** Makes the error for what is configured otherwise than it stands: healing brings nothing new in. */
function configuredOtherwise({ name }: Environment): LockageError {
  return new LockageError(`networks, edges or accessories of ${name} are configured otherwise than they are recorded`, {
    details: ['this would change them as well'],
    hint: `Promote the serving version again first: that changes them, with what drifted of them.`,
  });
}

/** The foundation of an environment: its network, the edges of its hosts and its accessories, in one stack. */
export class FoundationAdapter {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Returns the changes that `make` would do, for people to read; nothing when the foundation is up to date. */
  async notes(request: FoundationRequest): Promise<readonly string[]> {
    const known = await this.#dependencies.records.standing(request.environment.name);
    const { due, recorded, edges, replaced: drifted } = await this.#compare(request.environment, request, 'go', known);
    if (!due) return [];
    if (recorded === undefined) return ['networks, edge proxies and accessories are made first'];
    const { edge } = environmentNames(this.#dependencies.project.app, request.environment.name);
    const replaced = Object.keys(edges).filter(
      (host) =>
        drifted.has(partKey({ name: host }, edge)) || (recorded.edges[host] && recorded.edges[host] !== edges[host]),
    );
    return replaced.length === 0
      ? ['networks, edge proxies or accessories are changed first']
      : [
          `the edge proxies of ${replaced.join(', ')} are replaced first, one after the other: ` +
            'the ports of each are closed for a moment',
        ];
  }

  /** Deploys the foundation as it is wanted. Quick when there is nothing to do. Throws LockageError. */
  async make(request: FoundationRequest, leavingHosts: 'stay' | 'go'): Promise<void> {
    const { session, records } = this.#dependencies;
    const known = await records.standing(request.environment.name);
    const left = leftHosts(request.environment, known);
    const leaving = leavingHosts === 'stay' ? left : [];
    const environment = { ...request.environment, hosts: [...request.environment.hosts, ...leaving] };
    const state = await this.#compare(environment, request, leavingHosts, known);
    if (!state.due) return;
    // The Docker plugin reaches a leaving host over our connection, which may have ended since.
    if (leavingHosts === 'go') await Promise.allSettled(left.map((host) => session.connections.engine(host)));
    session.progress({ host: environment.name, step: 'foundation', detail: 'networks, edges and accessories' });
    await this.#refuseForeign(request.active);
    const standing = await this.#look(request.environment, state);
    const plan = await this.#plan(environment, { ...state, standing }, new Set(leaving.map(({ name }) => name)));
    await this.#checkAccessories(plan);
    await this.#tryEdges(plan);
    await this.#deploy(plan, { ...state, standing });
  }

  /**
   * Records what stands where all of it is as configured, and touches nothing. Returns what is not as configured: then nothing
   * is recorded, and the next promotion makes it so. Throws LockageError.
   */
  async adopt(request: FoundationRequest): Promise<readonly string[]> {
    const { environment } = request;
    refuseUnread(environment, request.versions);
    const known = await this.#dependencies.records.standing(environment.name);
    const state = await this.#compare(environment, request, 'stay', known);
    const standing = await this.#look(environment, { ...state, recorded: undefined });
    const plan = await this.#plan(environment, { ...state, standing }, new Set());
    const others = otherParts(plan, standing);
    if (others.length > 0 || !state.due) return others;
    const context = { ...providerContext(this.#dependencies.session, false), adopts: true as const };
    await this.#up(plan, context, { message: 'adopt the foundation', refresh: false });
    return [];
  }

  async #deploy(
    plan: FoundationPlan,
    state: FoundationState & { readonly standing: readonly Standing[] },
  ): Promise<void> {
    const { session } = this.#dependencies;
    try {
      await this.#up(
        plan,
        { ...providerContext(session, true), replaced: plan.replaced },
        {
          message: 'foundation',
          // The recorded resources are refreshed only when a host reported that something is missing.
          refresh: state.recorded !== undefined && state.missing.length > 0,
        },
      );
    } catch (error) {
      if (passesUnchanged(error)) throw error;
      throw servesAlready(plan, state)
        ? await foundationFailure(session.connections, plan, error)
        : await this.#undo(plan, error);
    }
  }

  async #up(
    plan: FoundationPlan,
    context: ProviderContext,
    options: { readonly message: string; readonly refresh: boolean },
  ): Promise<void> {
    const stack = foundationStack(plan.environment.name);
    const [pulumi, { foundationProgram }] = await Promise.all([
      this.#dependencies.stacks(),
      import('../programs/foundation.ts'),
    ]);
    await pulumi.forgetFormerStanding(stack);
    await pulumi.up(stack, foundationProgram(plan), context, options);
  }

  #placeOf({ name }: Environment): Place {
    return { app: this.#dependencies.project.app, environment: name };
  }

  /** Looks at the hosts of which the state does not know everything: what is there of the environment is taken over. */
  async #look(environment: Environment, { recorded }: FoundationState): Promise<readonly Standing[]> {
    const { session, records } = this.#dependencies;
    const known = recorded === undefined ? new Set<string>() : await records.foundationNetworks(environment.name);
    const hosts = environment.hosts.filter(({ name }) => !known.has(name));
    const found = await Promise.allSettled(
      hosts.map(async (host) => standingOn(await session.connections.engine(host), host, this.#placeOf(environment))),
    );
    return allOf(hosts, found, (failed) => `${failed} of ${hosts.length} hosts of ${environment.name} cannot be used`);
  }

  /** Compares the recorded foundation with the wanted one, which may include hosts that leave. */
  async #compare(
    environment: Environment,
    request: FoundationRequest,
    leaving: 'stay' | 'go',
    known: StandingRecord,
  ): Promise<FoundationState> {
    const { project } = this.#dependencies;
    const { active, reports } = request;
    const recorded = known.foundation;
    const secretVersions = accessorySecrets(environment, request.versions);
    const ports = await this.#portsOf(environment, request, recorded);
    const left = leftAccessories(environment, known);
    const kept = leaving === 'stay' ? left : [];
    // What could not be removed is recorded for as long as it is there; on a host that is away it has to wait.
    const isWhole = active.hosts.length === request.environment.hosts.length;
    const remains = leaving === 'go' && isWhole && (left.length > 0 || leftHosts(environment, known).length > 0);
    const wanted = fingerprint(foundationOf(project, environment, { secretVersions, ports, kept }));
    const { drifted = [] } = request;
    const absent = reports ? [...missingParts(project, active, reports), ...(await this.#restarting(active))] : [];
    const missing = [...absent, ...drifted.map(({ host, what }) => `${host.name} ${what}`)];
    const due = recorded?.fingerprint !== wanted || missing.length > 0 || remains;
    if (request.drifted && recorded?.fingerprint !== wanted) throw configuredOtherwise(environment);
    // Hosts that leave are no longer configured, and not cordoned.
    if (due) refuseWhileCordoned(request.environment, active, missing);
    const replaced = new Set(drifted.map(({ host, what }) => partKey(host, what)));
    const made = { edges: edgesOf(project, environment, ports), ports, kept };
    return { ...{ due, recorded, secretVersions, wanted, missing, replaced }, ...made };
  }

  /** An edge is not replaced only to close a port while a host is away, or after what was shown to people. */
  async #portsOf(
    environment: Environment,
    { active, environment: whole, reports }: FoundationRequest,
    recorded: FoundationInputs | undefined,
  ): Promise<HostPorts> {
    const { containers } = await this.#dependencies.records.seen(environment.name);
    const canClose = reports !== undefined && active.hosts.length === whole.hosts.length;
    return openPorts(environment, containers, canClose ? {} : recorded?.ports);
  }

  /** Returns the accessories that do not stay up, as missing parts are named. */
  async #restarting({ name: environment, accessories, hosts }: Environment): Promise<string[]> {
    const { project, session } = this.#dependencies;
    const found = hosts.map(async (host) => {
      const own = accessories.filter((accessory) => accessory.host === host.name);
      if (own.length === 0) return [];
      const names = own.map(({ name }) => accessoryName({ app: project.app, environment, name }));
      const restarting = await restartingContainers(await session.connections.engine(host), names);
      return restarting.map((name) => `${host.name} ${name}`);
    });
    return (await Promise.all(found)).flat();
  }

  async #plan(
    environment: Environment,
    state: FoundationState & { readonly standing: readonly Standing[] },
    leaving: ReadonlySet<string>,
  ): Promise<FoundationPlan> {
    const { project, session, registry, standIn } = this.#dependencies;
    const { recorded, missing, replaced, secretVersions, wanted, edges, ports, kept, standing } = state;
    const uses = imageUses(project, environment);
    const known = { ...runningImages(standing), ...recorded?.images };
    const { images, held } = await pinImages({ session, registry, standIn }, environment, uses, known);
    const engines = environment.hosts.map(
      async (host) => [host.name, dockerHost((await session.connections.engine(host)).address)] as const,
    );
    return {
      app: project.app,
      environment,
      images,
      held,
      edgeImage: project.edgeImage,
      engines: Object.fromEntries(await Promise.all(engines)),
      secretVersions,
      fingerprint: wanted,
      edges,
      ports,
      kept,
      leaving,
      replaced,
      addresses: await accessoryHosts(environment),
      networks: Object.fromEntries(standing.flatMap(({ host, network }) => (network ? [[host.name, network]] : []))),
      standing: recorded !== undefined || standing.some(({ containers }) => containers.length > 0),
      // A host that was restarted has lost what was in its memory: the accessories' secrets are delivered again.
      delivery: missing.length > 0 || recorded === undefined ? randomUUID() : recorded.delivery,
    };
  }

  /** Refuses parts of somebody else's: none is taken over, nor later removed. Throws LockageError. */
  async #refuseForeign(environment: Environment): Promise<void> {
    const { project, session } = this.#dependencies;
    const { hosts } = environment;
    const looked = hosts.map(async (host) =>
      refuseForeignParts(await session.connections.engine(host), project.app, environment, host),
    );
    const what = (failed: number) => `names are taken by somebody else on ${failed} of ${hosts.length} hosts`;
    allOf(hosts, await Promise.allSettled(looked), what);
  }

  /** Checks what an accessory cannot become before anything of it is stopped. Throws LockageError. */
  async #checkAccessories(plan: FoundationPlan): Promise<void> {
    const { connections } = this.#dependencies.session;
    const { name, hosts, accessories } = plan.environment;
    const placed = accessories.flatMap((accessory) =>
      hosts.filter((host) => host.name === accessory.host).map((host) => ({ host, accessory })),
    );
    const checks = placed.map(async ({ host, accessory }) => {
      const [engine, inputs] = [await connections.engine(host), accessoryInputs(plan, host, accessory)];
      await checkAccessory(engine, inputs);
      const others = hosts.filter((other) => other !== host).map((other) => connections.engine(other));
      await refuseWithoutData(engine, inputs, await Promise.all(others));
    });
    const results = await Promise.allSettled(checks);
    const what = (failed: number) => `${failed} of ${placed.length} accessories of ${name} cannot be changed`;
    allOf(
      placed.map(({ host }) => host),
      results,
      what,
    );
  }

  /**
   * Tries each new edge: the one that goes takes the host's traffic with it. Throws LockageError for one that does
   * not answer.
   */
  async #tryEdges(plan: FoundationPlan): Promise<void> {
    const { session } = this.#dependencies;
    const { environment } = plan;
    const hosts = environment.hosts.filter(({ name }) => !plan.leaving.has(name));
    const tried = hosts.map(async (host) =>
      tryEdge(await session.connections.engine(host), edgeInputs(plan, host), plan.replaced),
    );
    const results = await Promise.allSettled(tried);
    const what = `the edge proxies of ${environment.name} cannot be changed`;
    allOf(hosts, results, (failed) => `${what} on ${failed} of ${environment.hosts.length} hosts`);
  }

  /** Removes a foundation that failed at its first deployment. Returns the error that says so. */
  async #undo({ environment: { name } }: FoundationPlan, error: unknown): Promise<LockageError> {
    const { session, stacks } = this.#dependencies;
    const details = failureLines(error);
    const what = `the networks, edges and accessories of ${name} could not be made`;
    try {
      await (await stacks()).destroy(foundationStack(name), providerContext(session, false));
    } catch (second) {
      if (passesUnchanged(second)) throw second;
      return new BrokenError(`${what}, and what was made could not be removed`, {
        details: [...details, `then: ${messageOf(second)}`, ...detailsOf(second)],
        hint: `Run the same command again, or remove what is there with \`lockage destroy ${name}\`.`,
        cause: error,
      });
    }
    const Kind = error instanceof InterruptedError ? InterruptedError : RolledBackError;
    return new Kind(what, { details, hint: hintOf(error), cause: error });
  }
}

/** Returns the resources of recorded accessories that are configured no more, or on another host. */
function leftAccessories({ accessories }: Environment, known: StandingRecord): string[] {
  return known.accessories
    .filter(({ host, name }) => !accessories.some((each) => each.host === host.name && each.name === name))
    .map(({ host, name }) => `${host.name}-${name}`);
}

/** Returns hosts that are no longer configured. They keep their foundation until their containers are gone. */
function leftHosts({ hosts }: Environment, { edges, foundation }: StandingRecord): FoundationInputs['hosts'] {
  const all = [...edges.map(({ host }) => host), ...(foundation?.hosts ?? [])];
  const known = new Map(all.map((host) => [host.name, host]));
  return [...known.values()].filter(({ name }) => !hosts.some((host) => host.name === name));
}

/** Returns whether anything of a foundation serves: one that does not is removed when it fails, any other stays. */
function servesAlready(
  { environment }: FoundationPlan,
  { recorded, standing }: FoundationState & { readonly standing: readonly Standing[] },
): boolean {
  if (recorded !== undefined) return true;
  const parts = standing.flatMap(({ containers }) => containers.map(({ Labels }) => Labels[labels.part] ?? ''));
  return parts.some((part) => environment.orchestrator || part === 'release' || part === 'accessory');
}

/** Returns the parts that hosts do not have as they are planned, as `prod-1 trial-prod-edge`. */
function otherParts(plan: FoundationPlan, standing: readonly Standing[]): string[] {
  const { app, environment } = plan;
  const { edge, network } = environmentNames(app, environment.name);
  return environment.hosts.flatMap((host) => {
    const found = standing.find((each) => each.host.name === host.name);
    const accessories = environment.accessories
      .filter((accessory) => accessory.host === host.name)
      .map((accessory) => ({
        name: accessoryName({ app, environment: environment.name, name: accessory.name }),
        spec: accessoryInputs(plan, host, accessory).spec,
      }));
    const isThere = ({ name, spec }: { readonly name: string; readonly spec: string }) =>
      found?.containers.some((each) => containerName(each) === name && each.Labels[labels.spec] === spec);
    const missing = [{ name: edge, spec: edgeInputs(plan, host).spec }, ...accessories].filter(
      (each) => !isThere(each),
    );
    const names = missing.map(({ name }) => name);
    return [...names, ...(environment.orchestrator || found?.network ? [] : [network])].map(
      (name) => `${host.name} ${name}`,
    );
  });
}

function accessorySecrets({ accessories }: Environment, versions: SecretVersions): Record<string, string> {
  const names = new Set(accessories.flatMap(({ secrets }) => secrets));
  return Object.fromEntries(Object.entries(versions).filter(([name]) => names.has(name)));
}

/** Refuses to record versions of accessories' secrets that nobody could read. Throws LockageError. */
function refuseUnread({ accessories }: Environment, versions: SecretVersions): void {
  const unread = new Set(accessories.flatMap(({ secrets }) => secrets).filter((name) => versions[name] === undefined));
  if (unread.size > 0) throw new LockageError(`values for accessories cannot be read: ${[...unread].join(', ')}`);
}

/** Looks up where accessories are found by other hosts. Throws LockageError, also where that would be public by accident. */
async function accessoryHosts({ accessories, hosts, orchestrator }: Environment): Promise<Record<string, string>> {
  if (hosts.length < 2 || orchestrator) return {};
  const shared = accessories.filter(({ port }) => port !== undefined);
  const found = shared.map(async (accessory) => {
    const home = hosts.find(({ name }) => name === accessory.host);
    const host = publishAddress(accessory, home);
    const address = await addressOf(host);
    if (accessory.expose !== undefined || isPrivateAddress(address)) return [host, address] as const;
    throw new LockageError(`accessory ${accessory.name} would be reached from everywhere at ${host} (${address})`, {
      hint: `Give ${accessory.host} a private \`address\`, or write \`expose: true\` for the accessory.`,
    });
  });
  return Object.fromEntries(await Promise.all(found));
}
