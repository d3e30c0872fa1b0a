import { randomUUID } from 'node:crypto';
import { fingerprint } from '../pipelines/container.ts';
import type { Desired } from '../pipelines/desired.ts';
import type { Environment, Project } from '../pipelines/environment.ts';
import { ExitCode, LockageError, NotStartedError } from '../pipelines/errors.ts';
import type { HostReport, StacksPort } from '../pipelines/ports.ts';
import { edgeScript } from './edge/script.ts';
import { publicPorts } from './ports.ts';
import type { StackRecords } from './records.ts';
import { parseReference, type Registry as RegistryClient } from './registry.ts';
import type { Stacks } from './stack.ts';
import { foundationStack } from './stack-names.ts';
import { workshopOf, type Tools } from './workshop.ts';

interface Parts {
  readonly project: Project;
  readonly tools: Tools;
  readonly records: StackRecords;
  readonly registry: RegistryClient;
  /** loads Pulumi, which is only needed for changes */
  readonly stacks: () => Promise<Stacks>;
  readonly secretVersion: (value: string) => string;
}

/** Environments as Pulumi stacks: the foundation that stays, and the releases that come and go. */
export class EnvironmentStacks implements StacksPort {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async deploy(desired: Desired, message: string): Promise<void> {
    const { tools } = this.#parts;
    for (const { name, version, value } of desired.secrets) {
      if (value !== undefined) tools.secretValues.set(`${name}@${version}`, value);
    }
    const [stacks, { environmentProgram }] = await Promise.all([this.#parts.stacks(), import('./program.ts')]);
    const workshop = workshopOf(tools, desired.guarded);
    await stacks.up(desired.environment, environmentProgram(desired), workshop, { message });
  }

  async foundationNotes(environment: Environment, reports: readonly HostReport[]): Promise<readonly string[]> {
    const { due, recorded, edges } = await this.#foundationDue(environment, reports);
    if (!due) return [];
    if (recorded === undefined) return ['networks, edge proxies and accessories are made first'];
    return recorded.edges === edges
      ? ['networks or accessories are changed first']
      : ['the edge proxies are replaced first: their ports are closed for a moment'];
  }

  async #foundationDue(environment: Environment, reports: readonly HostReport[] | undefined) {
    const { project, records } = this.#parts;
    const recorded = await records.foundation(environment.name);
    const secretVersions = this.#accessorySecrets(environment);
    const wanted = fingerprint(foundationOf(project, environment, secretVersions));
    const edges = fingerprint(edgesOf(project, environment));
    const missing = reports ? missingParts(project, environment, reports) : [];
    const due = recorded?.fingerprint !== wanted || missing.length > 0;
    return { due, recorded, secretVersions, wanted, edges, missing };
  }

  async foundation(
    configured: Environment,
    reports: readonly HostReport[] | undefined,
    options: { readonly leaving: 'stay' | 'go' },
  ): Promise<void> {
    const { project, tools } = this.#parts;
    const environment = options.leaving === 'stay' ? await this.#withLeaving(configured) : configured;
    const { due, recorded, secretVersions, wanted, edges, missing } = await this.#foundationDue(environment, reports);
    if (!due) return;

    tools.progress({ host: environment.name, step: 'foundation', detail: 'networks, edges and accessories' });
    const images = await this.#pinImages(environment, recorded?.images ?? {});
    const sockets: Record<string, string> = {};
    for (const host of environment.hosts) sockets[host.name] = (await tools.connections.engine(host)).socketPath;
    const [stacks, { foundationProgram }] = await Promise.all([this.#parts.stacks(), import('./foundation.ts')]);
    const plan = {
      app: project.app,
      environment,
      images,
      edgeImage: project.edgeImage,
      sockets,
      secretVersions,
      fingerprint: wanted,
      edges,
      // A host that was restarted has lost what was in its memory: the accessories' secrets are delivered once more.
      delivery: missing.length > 0 || recorded === undefined ? randomUUID() : recorded.delivery,
    };
    const stack = foundationStack(environment.name);
    try {
      await stacks.up(stack, foundationProgram(plan), workshopOf(tools, true), {
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
    if (first) await (await this.#parts.stacks()).destroy(stack, workshopOf(this.#parts.tools, false));
    return new LockageError(what, { code: ExitCode.rolledBack, details, cause: error });
  }

  /** A host that is no longer configured keeps its network until its containers are gone. */
  async #withLeaving(environment: Environment): Promise<Environment> {
    const recorded = await this.#parts.records.foundation(environment.name);
    const leaving = (recorded?.hosts ?? []).filter(({ name }) => !environment.hosts.some((host) => host.name === name));
    return leaving.length === 0 ? environment : { ...environment, hosts: [...environment.hosts, ...leaving] };
  }

  #accessorySecrets(environment: Environment): Record<string, string> {
    const { tools } = this.#parts;
    const names = new Set(environment.accessories.flatMap(({ secrets }) => secrets));
    const versions: Record<string, string> = {};
    for (const key of tools.secretValues.keys()) {
      const [name = '', version = ''] = key.split('@');
      if (names.has(name)) versions[name] = version;
    }
    return versions;
  }

  /** Pulls edge and accessory images on their hosts, by a digest that is fixed when an image is first used. */
  async #pinImages(environment: Environment, known: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const { project, tools } = this.#parts;
    const uses = [
      ...environment.hosts.map((host) => ({ host, image: project.edgeImage })),
      ...environment.accessories.flatMap(({ image, host: name }) =>
        environment.hosts.filter((host) => host.name === name).map((host) => ({ host, image })),
      ),
    ];
    const pins: Record<string, string> = {};
    for (const image of new Set(uses.map((use) => use.image))) pins[image] = known[image] ?? (await this.#pin(image));
    await Promise.all(
      uses.map(async ({ host, image }) => {
        const engine = await tools.connections.engine(host);
        const pinned = pins[image] ?? image;
        if (await engine.inspectImage(pinned)) return;
        const { repository, digest } = parseReference(pinned);
        if (digest === undefined) {
          throw new LockageError(`${host.name} does not have image ${image}, and no registry offers it`, {
            hint: 'Push it to a registry that the hosts reach, and name it with that registry.',
          });
        }
        const auth = await this.#parts.registry.registryAuthHeader(repository);
        await engine.pull(repository, digest, { ...(auth === undefined ? {} : { auth }), signal: tools.signal });
        tools.progress({ host: host.name, step: 'pulled', detail: image });
      }),
    );
    return pins;
  }

  async #pin(image: string): Promise<string> {
    const { repository, tag, digest } = parseReference(image);
    if (digest !== undefined) return `${repository}@${digest}`;
    try {
      const resolved = await this.#parts.registry.resolve(repository, tag ?? 'latest');
      return `${repository}@${resolved.digest}`;
    } catch (error) {
      // An image that was loaded into the engines by hand has no registry; hosts without it are named later.
      if (error instanceof LockageError) return image;
      throw error;
    }
  }
}

function foundationOf(project: Project, environment: Environment, secretVersions: Record<string, string>) {
  return {
    ...edgesOf(project, environment),
    accessories: environment.accessories,
    secretVersions,
  };
}

function edgesOf(project: Project, environment: Environment) {
  return {
    edge: project.edgeImage,
    script: edgeScript,
    ...(environment.swarm ? { swarm: true } : {}),
    hosts: environment.hosts.map((host) => ({ name: host.name, url: host.url, ports: publicPorts(environment, host) })),
  };
}

function missingParts(project: Project, environment: Environment, reports: readonly HostReport[]): string[] {
  const edges = reports.filter(({ edge }) => !edge).map(({ host }) => `${host.name} edge`);
  const accessories = environment.accessories
    .map(({ name, host }) => ({ name: `${project.app}-${environment.name}-${name}`, host }))
    .filter(({ name, host }) => !reports.some((report) => report.host.name === host && report.running.has(name)))
    .map(({ name }) => name);
  return [...edges, ...accessories];
}
