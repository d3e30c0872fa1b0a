import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AccessoriesAdapter } from '../../../infra/adapters/accessories.ts';
import { AuditLogAdapter } from '../../../infra/adapters/audit-log.ts';
import { BundlesAdapter } from '../../../infra/adapters/bundles.ts';
import { DumpsAdapter } from '../../../infra/adapters/dumps.ts';
import { DriftAdapter } from '../../../infra/adapters/drift.ts';
import { EnvironmentLocks } from '../../../infra/adapters/environment-lock.ts';
import { FoundationAdapter } from '../../../infra/adapters/foundation.ts';
import { HostsAdapter } from '../../../infra/adapters/hosts.ts';
import { MachinesAdapter } from '../../../infra/adapters/machines/machines.ts';
import { RecordsAdapter } from '../../../infra/adapters/records.ts';
import { releaseRegistry } from '../../../infra/adapters/registry.ts';
import { RemovalAdapter } from '../../../infra/adapters/removal.ts';
import { StacksAdapter } from '../../../infra/adapters/stacks.ts';
import { StorageAdapter } from '../../../infra/adapters/storage.ts';
import { VerificationAdapter } from '../../../infra/adapters/verification.ts';
import { Connections } from '../../../infra/docker/connections.ts';
import { LockKeeper } from '../../../infra/hosts/lock-keeper.ts';
import { RegistryClient } from '../../../infra/registry/client.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Project } from '../../../pipelines/model/environment.ts';
import type { Release } from '../../../pipelines/model/release.ts';
import { perform, type OperationName, type RequestOf } from '../../../pipelines/operations/perform.ts';
import type { Secrets, Terminal } from '../../../pipelines/operations/ports/operator.ts';
import type { Context, Ports } from '../../../pipelines/operations/ports.ts';
import { exitCodeOf } from '../../../scripts/cli/exit-codes.ts';
import { sessionIn } from '../context-fixture.ts';
import { Door, type Fate } from './door.ts';
import type { Fleet, Operator } from './fleet.ts';
import { InProcessStacks } from './stacks.ts';

/** What happens to a command at one of the changes that it asks hosts for. */
export interface Fault {
  readonly kind: 'killed before' | 'killed after' | 'answer lost' | 'connection broken' | 'interrupted' | 'asleep';
  /** at which of the changes, or at the first call for which this is true: `GET /containers/web-1/json`, after those before */
  readonly at: number | ((call: string, before: readonly string[]) => boolean);
  /** what others do while its computer sleeps, before it hears the answer */
  meanwhile?(): Promise<void>;
}

/** How a command ended. */
export interface Outcome {
  /** as the command line ends; undefined: it was killed */
  readonly code: number | undefined;
  readonly error?: unknown;
  readonly result?: unknown;
  /** how many changes it asked hosts for */
  readonly changes: number;
}

/** Milliseconds of a lease, as the command line has it. */
const lease = 90_000;

/** A command of an operator: a process of its own, which reaches the hosts by doors of its own. */
export class Command {
  isDead = false;
  readonly #fleet: Fleet;
  readonly #operator: Operator;
  readonly #fault: Fault | undefined;
  readonly #stop = new AbortController();
  readonly #doors = new Map<string, Door>();
  #connections: Connections | undefined;
  #awake: Promise<void> = Promise.resolve();
  #changes = 0;
  #hasBefallen = false;
  readonly #calls: string[] = [];
  #die: () => void = () => undefined;

  private constructor(fleet: Fleet, operator: Operator, fault: Fault | undefined) {
    this.#fleet = fleet;
    this.#operator = operator;
    this.#fault = fault;
  }

  static async start(fleet: Fleet, operator: Operator, fault?: Fault): Promise<Command> {
    const command = new Command(fleet, operator, fault);
    for (const engine of fleet.engines) {
      const door = await Door.open(engine, join(fleet.folder, `${randomUUID().slice(0, 8)}.sock`));
      door.fate = (call) => ([fleet.unplugged].flat().includes(engine.host.name) ? 'broken' : command.#fateOf(call));
      door.fallAsleep = () => (command.#awake = fault?.meanwhile?.() ?? Promise.resolve());
      door.awake = () => command.#awake;
      command.#doors.set(engine.host.name, door);
    }
    return command;
  }

  /** Carries out an operation. One that is killed ends there, whatever it had under way. */
  async perform<Name extends OperationName>(name: Name, request: RequestOf<Name>): Promise<Outcome> {
    const killed = new Promise<Outcome>((resolve) => {
      this.#die = () => {
        this.isDead = true;
        resolve({ code: undefined, changes: this.#changes });
      };
    });
    const outcome = await Promise.race([this.#perform(name, request), killed]);
    if (!this.isDead) await this.#connections?.close();
    return outcome;
  }

  /** Records releases, as if each had been made. */
  async record(releases: readonly Release[]): Promise<void> {
    await this.#context().records.addReleases(releases);
  }

  /** Returns what is not as it is recorded. */
  async drift(): Promise<string[]> {
    const { project, records, drift } = this.#context();
    const [environment] = project.environments;
    if (!environment) return [];
    const found = await drift.find(environment, await records.environment(environment.name));
    return found.flatMap((each) =>
      'drift' in each
        ? each.drift.map(
            ({ what, member, expected, actual }) => `${each.host.name} ${what} ${member}: ${expected} → ${actual}`,
          )
        : [`${each.host.name}: ${each.error}`],
    );
  }

  close(): void {
    for (const door of this.#doors.values()) door.close();
  }

  async #perform<Name extends OperationName>(name: Name, request: RequestOf<Name>): Promise<Outcome> {
    try {
      const result = await perform(this.#context(), name, request);
      return { code: 0, result, changes: this.#changes };
    } catch (error) {
      const code = error instanceof LockageError ? exitCodeOf(error) : 70;
      return { code, error, changes: this.#changes };
    }
  }

  /** Counts what a host is asked to change; the start of a command in a container is the change, and not its creation. */
  #fateOf({ method, path }: { readonly method: string; readonly path: string }): Fate {
    if (this.isDead) return 'silent';
    const isChange = method !== 'GET' && method !== 'HEAD' && !path.endsWith('/exec');
    if (isChange) this.#changes += 1;
    if (!this.#fault || this.#hasBefallen) return 'done';
    const { at, kind } = this.#fault;
    const call = `${method} ${path}`;
    const isThis = typeof at === 'number' ? isChange && at === this.#changes : at(call, this.#calls);
    this.#calls.push(call);
    if (!isThis) return 'done';
    this.#hasBefallen = true;
    return this.#befall(kind);
  }

  #befall(kind: Fault['kind']): Fate {
    switch (kind) {
      case 'killed before':
      case 'killed after':
        this.#die();
        return kind === 'killed before' ? 'silent' : 'unheard';
      case 'answer lost':
        return 'lost';
      case 'connection broken':
        return 'broken';
      case 'interrupted':
        this.#stop.abort();
        return 'done';
      case 'asleep':
        return 'asleep';
    }
  }

  #context(): Context {
    const { states, actor } = this.#operator;
    const sockets = new Map([...this.#doors].map(([name, { socket }]) => [name, socket]));
    const project = this.#fleet.project(states, sockets);
    return {
      ...this.#ports(project),
      ...{ project, actor, secrets, terminal },
      audit: new AuditLogAdapter({
        app: project.app,
        folder: join(states.path, 'audit'),
        memory: join(states.path, 'files', `audit-${actor}.json`),
      }),
      pause: (milliseconds) => sleep(Math.min(milliseconds, 20)),
      now: () => Date.now(),
      newOperation: () => randomUUID().slice(0, 8),
      signal: this.#stop.signal,
    };
  }

  #ports(project: Project): Ports {
    const { app, backend, insecureRegistries: insecure } = project;
    const { states, actor } = this.#operator;
    const { signal } = this.#stop;
    const folder = join(states.path, 'files');
    const hosts = project.environments.flatMap((each) => each.hosts);
    const connections = new Connections({ stateDir: folder, configured: () => hosts });
    this.#connections = connections;
    const keeper = new LockKeeper({ app, actor, connections, lease });
    const registry = new RegistryClient({ insecure, signal });
    const session = sessionIn(folder, { connections, lock: keeper, signal });
    const engineOf = async (name: string) => {
      const host = hosts.find((each) => each.name === name);
      if (!host) throw new Error(`no host ${name}`);
      return connections.engine(host);
    };
    const runner = new InProcessStacks({ project: app, states, process: this, lock: keeper, engineOf });
    const stacks = async () => runner;
    const settings = { backend, passphrase: '', folder: join(folder, 'pulumi') };
    const records = new RecordsAdapter(settings, app, session, stacks);
    const locks = new EnvironmentLocks({ app, session, keeper, records, stacks });
    const accessories = new AccessoriesAdapter(app, session);
    const foundation = new FoundationAdapter({ project, session, records, registry, stacks });
    return {
      ...nothingElse,
      records,
      registry: releaseRegistry(registry),
      hosts: new HostsAdapter(app, session, registry, locks),
      machines: new MachinesAdapter({ project, session, actor, records, stacks }),
      stacks: new StacksAdapter({ app, edgeImage: project.edgeImage, session, records, foundation, stacks }),
      removal: new RemovalAdapter({ app, session, records, stacks }),
      accessories,
      dumps: new DumpsAdapter(join(folder, 'dumps'), folder, accessories),
      storage: new StorageAdapter(app, session, registry),
      drift: new DriftAdapter({ app, session, records, folder: join(folder, 'drift'), mask: (text) => text }),
      verification: new VerificationAdapter(app, session, registry),
      bundles: new BundlesAdapter({ project, records, registry, connections, variables: {}, tell: nobody, signal }),
    };
  }
}

const refused = async () => {
  throw new Error('nothing of a fleet is built or configured');
};

/** Images are in the registry, and hosts are those of the fleet. */
const nothingElse: Pick<Ports, 'builder' | 'configuration' | 'evidence'> = {
  builder: { tree: refused, build: refused, push: refused, restoreTag: refused, packages: refused },
  configuration: { fileOf: () => 'environments/prod.yaml', checkWithoutHost: refused, removeHost: refused },
  evidence: { signer: async () => undefined, of: async () => ({ bundles: [] }), show: refused, add: refused },
};

/** The fleet's releases get none. */
const secrets: Secrets = { read: async () => ({}), recall: async () => undefined, mask: (text) => text };

const nobody = () => undefined;
const terminal: Terminal = {
  ...{ step: nobody, note: nobody, waiting: nobody, plan: nobody, adoption: nobody },
  ...{ inventory: nobody, pruning: nobody, machines: nobody },
  asks: false,
  confirm: async () => undefined,
};
