import { randomUUID } from 'node:crypto';
import { detailsOf, messageOf, NotStartedError, RolledBackError, type LockageError } from '../../pipelines/errors.ts';
import type { Environment, Project } from '../../pipelines/model/environment.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import type { FoundationRequest } from '../../pipelines/operations/ports.ts';
import type { SecretVersions } from '../../pipelines/planning/rollout-inputs.ts';
import { providerContext, type Session } from '../context/session.ts';
import { dockerHost } from '../docker/address.ts';
import type { Engine } from '../docker/api/client.ts';
import { ownerLabels } from '../docker/labels.ts';
import { allOf } from '../hosts/all-hosts.ts';
import { tryEdge, type EdgeTrial } from '../hosts/edge-trial.ts';
import {
  edgesOf,
  foundationOf,
  imageUses,
  missingParts,
  refuseWhileCordoned,
} from '../programs/foundation-fingerprint.ts';
import type { FoundationPlan } from '../programs/foundation-plan.ts';
import { foundationStack } from '../pulumi/stack-names.ts';
import type { PulumiStacks } from '../pulumi/stacks.ts';
import type { RegistryClient } from '../registry/client.ts';
import type { FoundationInputs } from '../resources/inputs.ts';
import { pinImages } from './foundation-images.ts';
import type { RecordsAdapter } from './records.ts';

interface Dependencies {
  readonly project: Pick<Project, 'app' | 'edgeImage'>;
  readonly session: Session;
  readonly records: RecordsAdapter;
  readonly registry: RegistryClient;
  readonly stacks: () => Promise<PulumiStacks>;
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
  /** parts that hosts said they do not have */
  readonly missing: readonly string[];
}

/** The foundation of an environment: its network, the edges of its hosts and its accessories, in one stack. */
export class FoundationAdapter {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  /** Returns the changes that `make` would do, for people to read; nothing when the foundation is up to date. */
  async notes(request: FoundationRequest): Promise<readonly string[]> {
    const { due, recorded, edges } = await this.#compare(request.environment, request);
    if (!due) return [];
    if (recorded === undefined) return ['networks, edge proxies and accessories are made first'];
    const replaced = Object.keys(edges).filter((host) => recorded.edges[host] && recorded.edges[host] !== edges[host]);
    return replaced.length === 0
      ? ['networks, edge proxies or accessories are changed first']
      : [`the edge proxies of ${replaced.join(', ')} are replaced first: their ports are closed for a moment`];
  }

  /** Deploys the foundation as it is wanted. Quick when there is nothing to do. Throws LockageError. */
  async make(request: FoundationRequest, leavingHosts: 'stay' | 'go'): Promise<void> {
    const { session, stacks } = this.#dependencies;
    const left = await this.#leftHosts(request.environment);
    const leaving = leavingHosts === 'stay' ? left : [];
    const environment = { ...request.environment, hosts: [...request.environment.hosts, ...leaving] };
    const state = await this.#compare(environment, request);
    if (!state.due) return;
    // The Docker plugin reaches a leaving host over our connection, which may have ended since.
    if (leavingHosts === 'go') await Promise.allSettled(left.map((host) => session.connections.engine(host)));
    session.progress({ host: environment.name, step: 'foundation', detail: 'networks, edges and accessories' });
    const plan = await this.#plan(environment, state, new Set(leaving.map(({ name }) => name)));
    await this.#tryEdges(plan, state);
    const [pulumi, { foundationProgram }] = await Promise.all([stacks(), import('../programs/foundation.ts')]);
    try {
      await pulumi.up(foundationStack(environment.name), foundationProgram(plan), providerContext(session, true), {
        message: 'foundation',
        // The recorded resources are refreshed only when a host reported that something is missing.
        refresh: state.recorded !== undefined && state.missing.length > 0,
      });
    } catch (error) {
      if (error instanceof NotStartedError) throw error;
      throw await this.#undo(environment.name, state, error);
    }
  }

  /** Compares the recorded foundation with the wanted one, which may include hosts that leave. */
  async #compare(environment: Environment, request: FoundationRequest): Promise<FoundationState> {
    const { project, records } = this.#dependencies;
    const { active, reports } = request;
    const recorded = await records.foundation(environment.name);
    const secretVersions = accessorySecrets(environment, request.versions);
    const wanted = fingerprint(foundationOf(project, environment, secretVersions));
    const missing = reports ? missingParts(project, active, reports) : [];
    const due = recorded?.fingerprint !== wanted || missing.length > 0;
    // Hosts that leave are no longer configured, and not cordoned.
    if (due) refuseWhileCordoned(request.environment, active, missing);
    return { due, recorded, secretVersions, wanted, edges: edgesOf(project, environment), missing };
  }

  async #plan(environment: Environment, state: FoundationState, leaving: ReadonlySet<string>): Promise<FoundationPlan> {
    const { project, session, registry } = this.#dependencies;
    const { recorded, missing, secretVersions, wanted, edges } = state;
    const uses = imageUses(project, environment);
    const { images, held } = await pinImages({ session, registry }, environment, uses, recorded?.images ?? {});
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
      leaving,
      // A host that was restarted has lost what was in its memory: the accessories' secrets are delivered again.
      delivery: missing.length > 0 || recorded === undefined ? randomUUID() : recorded.delivery,
    };
  }

  /** An edge that goes takes the host's traffic with it, so each new one has to answer before. Throws LockageError. */
  async #tryEdges(plan: FoundationPlan, { recorded }: FoundationState): Promise<void> {
    const { session } = this.#dependencies;
    const { environment, edges } = plan;
    const changed = environment.hosts.filter(
      ({ name }) => !plan.leaving.has(name) && recorded?.edges[name] !== edges[name],
    );
    const tried = changed.map(async (host) => {
      const engine = await session.connections.engine(host);
      await tryEdge(engine, await edgeTrial(plan, host, engine));
    });
    const results = await Promise.allSettled(tried);
    const what = `the edge proxies of ${environment.name} cannot be changed`;
    allOf(changed, results, (failed) => `${what} on ${failed} of ${environment.hosts.length} hosts`);
  }

  /** Removes a foundation that failed at its first deployment; one that was there before stays as it is. */
  async #undo(environment: string, { recorded }: FoundationState, error: unknown): Promise<LockageError> {
    const { session, stacks } = this.#dependencies;
    if (recorded === undefined) {
      await (await stacks()).destroy(foundationStack(environment), providerContext(session, false));
    }
    const details = [...(error instanceof Error ? [messageOf(error)] : []), ...detailsOf(error)];
    const what = `the networks, edges and accessories of ${environment} could not be made`;
    return new RolledBackError(what, { details, cause: error });
  }

  /** Returns hosts that are no longer configured. They keep their foundation until their containers are gone. */
  async #leftHosts({ name, hosts }: Environment): Promise<FoundationInputs['hosts']> {
    const recorded = await this.#dependencies.records.foundation(name);
    return (recorded?.hosts ?? []).filter((before) => !hosts.some((host) => host.name === before.name));
  }
}

async function edgeTrial(plan: FoundationPlan, host: EnvironmentHost, engine: Engine): Promise<EdgeTrial> {
  const { app, environment } = plan;
  const { edge } = environmentNames(app, environment.name);
  const { edgeProcess, imageOn } = await import('../programs/foundation.ts');
  const { ports, entrypoint, env } = edgeProcess(environment, host);
  const now = await engine.inspectContainer(edge);
  const published = now?.State.Running ? Object.keys(now.HostConfig.PortBindings ?? {}) : [];
  return {
    host: host.name,
    name: `${edge}-trial`,
    image: imageOn(plan, host, plan.edgeImage),
    entrypoint,
    env,
    labels: ownerLabels(app, environment.name, 'edge-trial'),
    ports,
    newPorts: ports.filter((port) => !published.includes(`${port}/tcp`)),
  };
}

function accessorySecrets({ accessories }: Environment, versions: SecretVersions): Record<string, string> {
  const names = new Set(accessories.flatMap(({ secrets }) => secrets));
  return Object.fromEntries(Object.entries(versions).filter(([name]) => names.has(name)));
}
