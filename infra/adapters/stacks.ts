import { randomUUID } from 'node:crypto';
import type { DesiredState } from '../../pipelines/model/desired-state.ts';
import type { Environment, Project } from '../../pipelines/model/environment.ts';
import { ExitCode, LockageError, NotStartedError } from '../../pipelines/errors.ts';
import type { Stacks } from '../../pipelines/operations/ports.ts';
import { deliverRoutes } from '../provider/switch-routes.ts';
import { hostRoutes } from '../edge/host-routes.ts';
import { dockerHost } from '../docker/address.ts';
import { pinImages } from './foundation-images.ts';
import type { FoundationPlan } from '../programs/foundation-plan.ts';
import type { RecordsAdapter } from './records.ts';
import type { RegistryClient } from '../registry/client.ts';
import type { PulumiStacks } from '../pulumi/stacks.ts';
import { foundationStack } from '../pulumi/stack-names.ts';
import { providerContext, type Session } from '../context/session.ts';
import {
  foundationOf,
  edgesOf,
  missingParts,
  refuseWhileCordoned,
  imageUses,
} from '../programs/foundation-fingerprint.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { HostReport } from '../../pipelines/model/host-report.ts';

interface Dependencies {
  /** with the addresses of its machines, as they are now */
  readonly project: () => Project;
  readonly session: Session;
  readonly records: RecordsAdapter;
  readonly registry: RegistryClient;
  /** loads Pulumi, which is only needed for changes */
  readonly stacks: () => Promise<PulumiStacks>;
}

/** Environments as Pulumi stacks: the foundation that stays, and the releases that come and go. */
export class StacksAdapter implements Stacks {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  async deploy(desired: DesiredState, message: string): Promise<void> {
    const { session } = this.#dependencies;
    for (const { name, version, value } of desired.secrets) {
      if (value !== undefined) session.secretValues.set(`${name}@${version}`, value);
    }
    const [stacks, { environmentProgram }] = await Promise.all([
      this.#dependencies.stacks(),
      import('../programs/release.ts'),
    ]);
    const context = providerContext(session, desired.guarded);
    // Every engine unpacks the routes in a process of its own, while Pulumi derives a key from its passphrase.
    const delivered = desired.guarded ? deliverRoutes(context, desired, hostRoutes(desired)) : Promise.resolve();
    // The barrier awaits it, and sends them itself where this failed.
    delivered.catch(() => undefined);
    const program = environmentProgram(desired);
    try {
      await stacks.up(
        desired.environment,
        program,
        { ...context, ...(desired.guarded ? { delivered } : {}) },
        { message },
      );
    } finally {
      await delivered.catch(() => undefined);
    }
  }

  async foundationNotes(inService: Environment, reports: readonly HostReport[]): Promise<readonly string[]> {
    const { due, recorded, edges } = await this.#foundationDue(this.#whole(inService), inService, reports);
    if (!due) return [];
    if (recorded === undefined) return ['networks, edge proxies and accessories are made first'];
    const replaced = Object.keys(edges).filter((host) => recorded.edges[host] && recorded.edges[host] !== edges[host]);
    return replaced.length === 0
      ? ['networks, edge proxies or accessories are changed first']
      : [`the edge proxies of ${replaced.join(', ')} are replaced first: their ports are closed for a moment`];
  }

  /** Whether something is to do, and what; `inService` is the environment without cordoned hosts. */
  async #foundationDue(environment: Environment, inService: Environment, reports: readonly HostReport[] | undefined) {
    const { records } = this.#dependencies;
    const project = this.#dependencies.project();
    const recorded = await records.foundation(environment.name);
    const secretVersions = this.#accessorySecrets(environment);
    const wanted = fingerprint(foundationOf(project, environment, secretVersions));
    const edges = edgesOf(project, environment);
    const missing = reports ? missingParts(project, inService, reports) : [];
    const due = recorded?.fingerprint !== wanted || missing.length > 0;
    // Hosts that leave are no longer configured, and not cordoned.
    if (due) refuseWhileCordoned(this.#whole(inService), inService, missing);
    return { due, recorded, secretVersions, wanted, edges, missing };
  }

  /** With the cordoned hosts: what stands on them is still declared. */
  #whole(inService: Environment): Environment {
    return this.#dependencies.project().environments.find(({ name }) => name === inService.name) ?? inService;
  }

  async foundation(
    inService: Environment,
    reports: readonly HostReport[] | undefined,
    options: { readonly leaving: 'stay' | 'go' },
  ): Promise<void> {
    const { session } = this.#dependencies;
    const project = this.#dependencies.project();
    const configured = this.#whole(inService);
    const leaving = options.leaving === 'stay' ? await this.#leaving(configured) : [];
    const environment = { ...configured, hosts: [...configured.hosts, ...leaving] };
    const state = await this.#foundationDue(environment, inService, reports);
    const { due, recorded, secretVersions, wanted, edges, missing } = state;
    if (!due) return;

    // The Docker plugin reaches a host that leaves by a connection of ours, which may have ended since.
    if (options.leaving === 'go')
      await Promise.allSettled((await this.#leaving(configured)).map((host) => session.connections.engine(host)));
    session.progress({ host: environment.name, step: 'foundation', detail: 'networks, edges and accessories' });
    const { images, held } = await pinImages(
      { session, registry: this.#dependencies.registry },
      environment,
      imageUses(project, environment),
      recorded?.images ?? {},
    );
    const engines: FoundationPlan['engines'] = Object.fromEntries(
      await Promise.all(
        environment.hosts.map(async (host) => [
          host.name,
          dockerHost((await session.connections.engine(host)).address),
        ]),
      ),
    );
    const [stacks, { foundationProgram }] = await Promise.all([
      this.#dependencies.stacks(),
      import('../programs/foundation.ts'),
    ]);
    const plan = {
      app: project.app,
      environment,
      images,
      held,
      edgeImage: project.edgeImage,
      engines,
      secretVersions,
      fingerprint: wanted,
      edges,
      leaving: new Set(leaving.map(({ name }) => name)),
      // A host that was restarted has lost what was in its memory: the accessories' secrets are delivered once more.
      delivery: missing.length > 0 || recorded === undefined ? randomUUID() : recorded.delivery,
    };
    const stack = foundationStack(environment.name);
    try {
      await stacks.up(stack, foundationProgram(plan), providerContext(session, true), {
        message: 'foundation',
        // What the state believes to be there is only looked at when a host said that something is missing.
        refresh: recorded !== undefined && missing.length > 0,
      });
    } catch (error) {
      if (error instanceof NotStartedError) throw error;
      throw await this.#undo(environment, stack, recorded === undefined, error);
    }
  }

  /** A foundation that could not be made at first leaves nothing; one that was there before stays as it is. */
  async #undo(environment: Environment, stack: string, first: boolean, error: unknown): Promise<LockageError> {
    const what = `the networks, edges and accessories of ${environment.name} could not be made`;
    const details = [
      ...(error instanceof Error ? [error.message] : []),
      ...(error instanceof LockageError ? error.details : []),
    ];
    if (first)
      await (await this.#dependencies.stacks()).destroy(stack, providerContext(this.#dependencies.session, false));
    return new LockageError(what, { code: ExitCode.rolledBack, details, cause: error });
  }

  /** Hosts that are no longer configured, and keep what stands on them until their containers are gone. */
  async #leaving({ name, hosts }: Environment): Promise<readonly Host[]> {
    const recorded = await this.#dependencies.records.foundation(name);
    return (recorded?.hosts ?? []).filter((before) => !hosts.some((host) => host.name === before.name));
  }

  #accessorySecrets(environment: Environment): Record<string, string> {
    const { session } = this.#dependencies;
    const names = new Set(environment.accessories.flatMap(({ secrets }) => secrets));
    const versions: Record<string, string> = {};
    for (const key of session.secretValues.keys()) {
      const [name = '', version = ''] = key.split('@');
      if (names.has(name)) versions[name] = version;
    }
    return versions;
  }
}
