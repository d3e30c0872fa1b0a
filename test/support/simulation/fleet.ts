import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Project } from '../../../pipelines/model/environment.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import type { OperationName, RequestOf } from '../../../pipelines/operations/perform.ts';
import { environment, hostWith, release, role } from '../../pipelines/model/values.ts';
import { Command, type Fault, type Outcome } from './command.ts';
import { SimulatedEngine } from './engine.ts';
import { Programs } from './programs.ts';
import { SimulatedRegistry } from './registry.ts';
import { StateFolder } from './stacks.ts';

const { route: _, ...withoutRoute } = role({ name: 'worker' });

/** Somebody who gives commands: on a computer with a state folder, which others may share. */
export interface Operator {
  readonly actor: string;
  readonly states: StateFolder;
}

/**
 * Simulated hosts, two unless told, with an environment, `prod`, a registry with its releases, and operators whose commands are the real ones:
 * operations, adapters, provider and the script of edges. All clocks go forward together.
 */
export class Fleet {
  readonly folder = mkdtempSync(join(tmpdir(), 'lockage-fleet-'));
  readonly engines: readonly SimulatedEngine[];
  readonly registry: SimulatedRegistry;
  readonly releases: readonly Release[];
  readonly #programs: Programs;
  readonly #commands: Command[] = [];
  readonly #states = new Map<string, StateFolder>();
  readonly #realNow = Date.now;
  /** a host that nobody reaches, or several */
  unplugged: string | readonly string[] | undefined;
  /** where its roles run, as it is configured now */
  places: readonly string[];
  #ahead = 0;

  private constructor(registry: SimulatedRegistry, hostNames: readonly string[]) {
    this.registry = registry;
    this.places = hostNames;
    this.#programs = new Programs(this.folder);
    registry.push('edge', '1', { config: {} });
    this.releases = ['1.0.0', '2.0.0', '3.0.0', '4.0.0'].map((version) => this.#released(version));
    this.engines = hostNames.map(
      (name) =>
        new SimulatedEngine({
          ...{ name, folder: join(this.folder, name), programs: this.#programs, registry: registry.images },
          now: () => Date.now(),
        }),
    );
    Date.now = () => this.#realNow() + this.#ahead;
  }

  static async start(hostNames: readonly string[] = ['prod-1', 'prod-2']): Promise<Fleet> {
    return new Fleet(await SimulatedRegistry.start(), hostNames);
  }

  /** Time goes on, for everybody. */
  pass(seconds: number): void {
    this.#ahead += seconds * 1000;
    this.#programs.putForward(this.#ahead);
  }

  /** Returns somebody with a state folder of that name, who knows of all releases. */
  async operator(actor: string, folder = 'state'): Promise<Operator> {
    const states = this.#states.get(folder) ?? new StateFolder(join(this.folder, folder));
    this.#states.set(folder, states);
    const operator = { actor, states };
    const command = await Command.start(this, operator);
    this.#commands.push(command);
    await command.record(this.releases);
    return operator;
  }

  /** Carries out an operation as the command line does, in a process of its own that something may happen to. */
  async run<Name extends OperationName>(
    operator: Operator,
    name: Name,
    request: RequestOf<Name>,
    fault?: Fault,
  ): Promise<Outcome> {
    const command = await Command.start(this, operator, fault);
    this.#commands.push(command);
    return command.perform(name, request);
  }

  /** Returns what is not as it is recorded: `prod-1 shop-web-1: state`. */
  async drift(operator: Operator): Promise<string[]> {
    const command = await Command.start(this, operator);
    this.#commands.push(command);
    return command.drift();
  }

  engine(name: string): SimulatedEngine {
    const found = this.engines.find(({ host }) => host.name === name);
    if (!found) throw new Error(`no host ${name}`);
    return found;
  }

  /** Returns what each host answers a visitor: a version, or what is in the way of one. */
  async answers(): Promise<string[]> {
    return Promise.all(
      this.engines.map(async ({ address, host }) => {
        const options = { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } };
        const said = await fetch(`http://${address}:8000/`, options).then(
          async (response) => (response.ok ? response.text() : `status ${response.status}`),
          (error: unknown) => `nothing (${String(error)})`,
        );
        return `${host.name} ${said}`;
      }),
    );
  }

  /** Returns the containers of releases that run: `prod-1 web 1.0.0`. */
  running(): string[] {
    const all = this.engines.flatMap(({ host, containers }) =>
      containers.filter(({ works }) => works).map(({ body: { Labels = {} } }) => ({ host, labels: Labels })),
    );
    return all
      .filter(({ labels }) => labels['lockage.part'] === 'release')
      .map(({ host, labels }) => `${host.name} ${labels['lockage.role']} ${labels['lockage.release']}`)
      .sort();
  }

  /** Returns the locks that stand, without what is left to tell those who were overtaken. */
  locks(): string[] {
    return this.engines.flatMap(({ host, volumes }) =>
      [...volumes.keys()]
        .filter((name) => /^shop-prod-lock(?!.*\.over$)/.test(name))
        .map((name) => `${host.name} ${name}`),
    );
  }

  /** Returns the switches that nobody has confirmed. */
  pending(): string[] {
    return this.engines.flatMap((engine) => {
      const live = [...engine.volumes.keys()].find((name) => name.endsWith('-live'));
      const folder = live === undefined ? '' : engine.runner.volumeFolder(live);
      const isThere = live !== undefined && readdirSync(folder).includes('pending');
      return isThere ? [`${engine.host.name} ${readlinkSync(join(folder, 'pending'))}`] : [];
    });
  }

  /** Returns the configuration, with the hosts at the places where one command reaches them. */
  project(states: StateFolder, sockets: ReadonlyMap<string, string>): Project {
    const hosts = this.engines.map(({ host: { name }, address }): Host => {
      const made = hostWith(name, { address });
      if (made.endpoint.kind !== 'unix') throw new Error('a host of the fleet has a socket');
      return { ...made, endpoint: { ...made.endpoint, socket: sockets.get(name) ?? '' } };
    });
    const health = { check: { kind: 'http', path: '/healthz', port: 8080 }, interval: 20, healthy: 1, timeout: 10_000 };
    const web = role({ hosts: this.places, route: { publish: 8000, port: 8080 }, health: health as never });
    const worker = {
      ...withoutRoute,
      hosts: this.places,
      health: { ...web.health, check: { kind: 'running', for: 10 } as const },
    };
    return {
      app: 'shop',
      root: this.folder,
      backend: `file://${states.path}`,
      repository: `${this.registry.address}/shop`,
      build: { context: '.', dockerfile: 'Dockerfile', args: {} },
      insecureRegistries: [this.registry.address],
      edgeImage: `${this.registry.address}/edge:1`,
      environments: [environment({ hosts, roles: [web, worker] })],
    };
  }

  close(): void {
    for (const command of this.#commands) command.close();
    for (const engine of this.engines) engine.close();
    this.registry.close();
    Date.now = this.#realNow;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #released(version: string): Release {
    const digest = this.registry.push('shop', version, { config: {}, serves: { port: 8080, status: 200 } });
    return { ...release(version), repository: `${this.registry.address}/shop`, digest };
  }
}
