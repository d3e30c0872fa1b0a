import { OvertakenError, RecordChangedError } from '../../../pipelines/errors.ts';
import type { Archive } from '../../../pipelines/model/archive.ts';
import { onActiveHosts, withoutCordon, withoutCordoned } from '../../../pipelines/model/cordons.ts';
import { samePlace, type DesiredState, type PlacedContainer } from '../../../pipelines/model/desired-state.ts';
import { placesOf, type Environment } from '../../../pipelines/model/environment.ts';
import { counted, lastNumber, type Fence, type Turn } from '../../../pipelines/model/fence.ts';
import type { HostDrift } from '../../../pipelines/inspection/drift.ts';
import type { PreflightReport, RunningMigration } from '../../../pipelines/model/host-report.ts';
import type { Inventory } from '../../../pipelines/model/inventory.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import { currentRevision, withPending, type EnvironmentRecord } from '../../../pipelines/model/ledger.ts';
import type { LockHolder } from '../../../pipelines/model/lock-holder.ts';
import { currentPool, inPool } from '../../../pipelines/model/machine-pool.ts';
import { copyOf, textOfCopy, type KeptRecord, type RecordCopy } from '../../../pipelines/model/record-copy.ts';
import type { Attempt } from '../../../pipelines/model/revision.ts';
import type { Target } from '../../../pipelines/model/target.ts';
import type { ServingAnswer } from '../../../pipelines/operations/ports/hosts.ts';
import { host, record } from '../model/values.ts';

/** What a host has of an environment. */
interface Engine {
  readonly containers: Map<string, { readonly placed: PlacedContainer; running: boolean }>;
  /** names of the containers that get its traffic */
  routes: readonly string[];
  edge: boolean;
}

/** An environment as it is: recorded, on its hosts, and in front of its machines. */
export class MemoryPlace {
  readonly configured: Environment;
  record: EnvironmentRecord = record([]);
  readonly engines = new Map<string, Engine>();
  /** host → who holds the environment's lock there */
  readonly locks = new Map<string, LockHolder>();
  /** the environment's own machines: name → image */
  readonly machines = new Map<string, string>();
  /** who may act on its hosts, as they know it */
  fence: Fence | undefined;
  /** host → its copy of what is recorded */
  readonly copies = new Map<string, RecordCopy>();
  /** accessory → whose data it has */
  readonly data = new Map<string, string>();
  /** host → a volume with an accessory's data that nobody named: it is found by its container only */
  readonly nameless = new Map<string, string>();
  /** hosts that do not answer when they are asked for their copies */
  readonly silent = new Set<string>();
  /** hosts whose edges were never told who may act */
  readonly untold = new Set<string>();
  /** what somebody changed by hand, as `prod-1/shop-prod-edge` → what of it */
  readonly changed = new Map<string, string>();
  /** what was kept of containers before they went */
  readonly evidence: string[] = [];
  /** what works on its data, though its operator is gone */
  migrations: readonly RunningMigration[] = [];
  /** strangers on the environment's network, as `prod-1/theirs` */
  readonly strangers = new Set<string>();
  /** machines that the one address of the environment leads to */
  backends: readonly string[] = [];
  #attempts: readonly Attempt[] | undefined;

  constructor(configured: Environment) {
    this.configured = configured;
  }

  /** What is recorded, with attempts whose outcome is not; with the ledger of an archive where there is none of its own. */
  known(archive?: Archive): EnvironmentRecord {
    const found = lastNumber(this.record.ledger) === 0 ? archive : undefined;
    const ledger = found?.ledger ?? this.record.ledger;
    return { ...this.record, ...withPending(ledger, this.#attempts), ...(found ? { archive: found } : {}) };
  }

  /** A state is put in place of the one that was. */
  restore(found: EnvironmentRecord): void {
    this.record = found;
    this.#attempts = undefined;
  }

  /** So is that of another moment, with what was tried then. */
  restoreFrom(other: MemoryPlace): void {
    this.record = other.record;
    this.#attempts = other.#attempts;
  }

  /** As the first resource of the environment's program does it. */
  takeTurn({ basis, operation, attempts, turn, audit }: DesiredState): void {
    if (basis !== this.record.basis) throw new RecordChangedError('somebody else changed the record meanwhile');
    this.claim(turn);
    const { audit: _, ...rest } = this.record;
    this.record = { ...rest, basis: operation, ...(audit ? { audit } : {}) };
    this.#attempts = attempts;
  }

  /** As the script of the edges decides it, where there are any. */
  claim({ revision, operation, recorded, over }: Turn): void {
    if (![...this.engines.values()].some(({ edge }) => edge)) return;
    const held = this.fence ?? { revision: 0, operation: '-', recorded: 0 };
    const isSame = revision === held.revision && recorded < held.revision;
    const isTheirs = isSame && operation !== held.operation && !over.includes(held.operation);
    if (recorded < held.recorded || revision < held.revision || isTheirs)
      throw new OvertakenError(`revision ${held.revision} of operation ${held.operation} holds the fence`);
    this.fence = { revision, operation, recorded };
  }

  /** Takes over all that another one is. */
  become(other: MemoryPlace): void {
    this.record = other.record;
    this.#attempts = other.#attempts;
    this.backends = other.backends;
    this.fence = other.fence;
    for (const [name, copy] of other.copies) this.copies.set(name, copy);
    for (const [name, volume] of other.nameless) this.nameless.set(name, volume);
    for (const [name, data] of other.data) this.data.set(name, data);
    for (const name of other.silent) this.silent.add(name);
    for (const [part, member] of other.changed) this.changed.set(part, member);
    for (const part of other.strangers) this.strangers.add(part);
    for (const [name, image] of other.machines) this.machines.set(name, image);
    for (const [name, engine] of structuredClone(other.engines)) this.engines.set(name, engine);
  }

  /** The environment on the machines that serve. */
  withAddresses(pool = currentPool(this.configured.name, this.record.ledger, [...this.machines.keys()])): Environment {
    const { machines } = this.configured;
    if (!machines) return this.configured;
    const named = inPool(this.configured, pool);
    const hosts = named.hosts.map((each) => (this.machines.has(each.name) ? host(each.name) : each));
    const image = hosts.map(({ name }) => this.machines.get(name)).find((found) => found !== undefined);
    return { ...named, hosts, machines: { ...machines, ...(image === undefined ? {} : { image }) } };
  }

  engine(name: string): Engine {
    const engine = this.engines.get(name) ?? { containers: new Map(), routes: [], edge: false };
    this.engines.set(name, engine);
    return engine;
  }

  /** Who answers a visitor and who works, as `prod-1 web 1.0.0`; what is not there does so as `prod-1 nothing`. */
  serves(): string[] {
    return [...this.answers(), ...this.#reached().flatMap((name) => this.#working(name))].toSorted();
  }

  /** The same without those who only work. */
  answers(): string[] {
    return this.#reached()
      .flatMap((name) => this.#answering(name))
      .toSorted();
  }

  #reached(): readonly string[] {
    return this.configured.machines ? this.backends : [...this.engines.keys()];
  }

  #answering(name: string): string[] {
    const { containers, routes } = this.engine(name);
    return routes.map((route) => {
      const found = containers.get(route);
      return found?.running ? `${name} ${found.placed.spec.role} ${found.placed.spec.version}` : `${name} nothing`;
    });
  }

  #working(name: string): string[] {
    const all = [...this.engine(name).containers.values()];
    const working = all.filter(({ running, placed }) => running && !placed.spec.route);
    return working.map(({ placed: { spec } }) => `${name} ${spec.role} ${spec.version}`);
  }

  /** Names of all containers on its hosts. */
  present(): string[] {
    return [...this.engines].flatMap(([name, { containers }]) =>
      [...containers.keys()].map((each) => `${name}/${each}`),
    );
  }

  report(name: string): PreflightReport {
    const { containers, edge } = this.engine(name);
    const running = [...containers].filter(([, each]) => each.running).map(([each]) => each);
    return {
      host: host(name),
      running: new Set(running),
      present: new Set(containers.keys()),
      foreign: new Set(),
      edge,
      warnings: [],
      platform: 'linux/amd64',
      traits: {},
      migrations: this.migrations.filter(({ host: on }) => on === name),
      ...(this.fence ? { fence: this.fence } : {}),
    };
  }

  /** Gives hosts a copy of what is recorded now. */
  copyTo(hosts: readonly string[], operation: string): void {
    const { basis: _, ...recorded } = this.known();
    const copy = { app: 'shop', environment: this.configured.name, operation, record: recorded };
    for (const name of hosts) this.copies.set(name, copyOf(textOfCopy(copy)));
  }

  /** Hosts know nothing any more. */
  forgetAll(): void {
    this.fence = undefined;
    this.copies.clear();
  }

  /** Hosts hear what is recorded, and the last change that is. */
  tell(hosts: readonly string[], turn: Turn): void {
    this.claim(turn);
    this.copyTo(hosts, turn.operation);
  }

  /** What a host tells an operator who has lost the record. */
  kept(target: Target): KeptRecord {
    const { name } = target;
    if (this.silent.has(name)) return { host: target, error: 'does not answer', containers: new Map() };
    const copy = this.copies.get(name);
    const found = [...this.engine(name).containers.values()];
    return {
      host: target,
      containers: new Map(found.map(({ placed: { spec } }) => [spec.name, fingerprint(spec)])),
      ...(copy ? { copy } : {}),
      ...(this.fence ? { fence: this.fence } : {}),
    };
  }

  inventory(name: string): Inventory {
    const { containers, edge } = this.engine(name);
    const found = [...containers].map(([each, { running }]) => ({ name: each, part: 'release', running }));
    const nothing = { networks: [], volumes: [], secrets: [] };
    const volume = edge ? this.nameless.get(name) : undefined;
    return {
      host: host(name),
      ...nothing,
      data: volume === undefined ? [] : [volume],
      containers: edge ? [...found, { name: 'edge', part: 'edge', running: edge }] : found,
    };
  }

  /** What is not as it is recorded: as somebody changed it, missing, or stopped. */
  drift(environment: Environment, { containers }: EnvironmentRecord): HostDrift[] {
    const serving = new Set((currentRevision(this.record.ledger)?.containers ?? []).map(({ name }) => name));
    return hostNames(environment).map((name) => {
      if (this.silent.has(name)) return { host: targetOf(environment, name), error: 'does not answer' };
      const { containers: found } = this.engine(name);
      const own = containers.filter((placed) => placed.host.name === name).map(({ spec }) => spec);
      const missing = own.filter((spec) => !found.has(spec.name)).map((spec) => [spec.name, 'container'] as const);
      const stopped = own.filter(
        (spec) => found.get(spec.name)?.running === false && (spec.route ?? serving.has(spec.name)),
      );
      const by = (parts: Iterable<string>) =>
        [...parts].filter((part) => part.startsWith(`${name}/`)).map((part) => part.slice(name.length + 1));
      const changed = by(this.changed.keys()).map((what) => [what, this.changed.get(`${name}/${what}`) ?? ''] as const);
      const theirs = by(this.strangers).map((what) => [what, 'network'] as const);
      const all = [...missing, ...stopped.map((spec) => [spec.name, 'state'] as const), ...changed, ...theirs];
      const drift = all.map(([what, member]) => ({ what, member, expected: 'as made', actual: 'otherwise' }));
      return { host: targetOf(environment, name), drift };
    });
  }

  /** A container goes, with what somebody changed on it. */
  remove({ host: on, spec }: PlacedContainer): void {
    this.engine(on.name).containers.delete(spec.name);
    this.changed.delete(`${on.name}/${spec.name}`);
  }

  create(placed: PlacedContainer, running = true): void {
    const { containers } = this.engine(placed.host.name);
    if (!containers.has(placed.spec.name)) containers.set(placed.spec.name, { placed, running });
    if (this.record.containers.some((other) => samePlace(other, placed))) return;
    this.record = { ...this.record, containers: [...this.record.containers, placed] };
  }

  run({ host: on, spec }: PlacedContainer, running: boolean): void {
    const found = this.engine(on.name).containers.get(spec.name);
    if (found) found.running = running;
  }

  /** Moves the routes of every host in service. Returns what takes them back. */
  switchTo({ ledger, serving }: DesiredState): () => void {
    const before = new Map([...this.engines].map(([name, { routes }]) => [name, routes]));
    const active = onActiveHosts(ledger, serving);
    for (const name of new Set(active.map(({ host: on }) => on.name))) {
      const routed = active.filter(({ host: on, spec }) => on.name === name && spec.route);
      this.engine(name).routes = routed.map(({ spec }) => spec.name);
    }
    return () => void [...before].map(([name, routes]) => (this.engine(name).routes = routes));
  }

  /** Whether each host serves a state. */
  answersOf({ ledger, serving }: DesiredState): ServingAnswer[] {
    const active = onActiveHosts(ledger, serving);
    return [...new Set(active.map(({ host: on }) => on.name))].map((name) => {
      const own = active.filter(({ host: on }) => on.name === name).map(({ spec }) => spec);
      const { containers, routes } = this.engine(name);
      const isDown = own.some((spec) => !containers.get(spec.name)?.running);
      const isRouted = own.every((spec) => !spec.route || routes.includes(spec.name));
      return isDown || !isRouted ? { host: name, fault: isDown ? 'does not run' : 'goes elsewhere' } : { host: name };
    });
  }

  /** Removes every container but these, on these hosts. */
  removeOthers(hosts: readonly string[], kept: readonly PlacedContainer[]): readonly RunningMigration[] {
    for (const name of hosts) {
      const { containers } = this.engine(name);
      for (const { placed } of containers.values())
        if (!kept.some((other) => samePlace(other, placed))) this.remove(placed);
    }
    return this.migrations.filter(({ host: on }) => hosts.includes(on));
  }

  /** Makes the machines of a pool that are missing, or of another image. */
  makeMachines(pool: 'blue' | 'green', image: string): void {
    for (const { name } of inPool(this.configured, pool).hosts) {
      if (this.machines.get(name) === image) continue;
      this.removeMachine(name);
      this.machines.set(name, image);
    }
    if (this.backends.length === 0) this.routeToServing();
  }

  routeToServing(): void {
    this.backends = withoutCordoned(this.withAddresses(), this.record.ledger).hosts.map(({ name }) => name);
  }

  /** Forgets a host with all that is on it. */
  removeMachine(name: string): void {
    this.machines.delete(name);
    this.locks.delete(name);
    this.engines.delete(name);
    this.forgetHost(name);
  }

  forgetHost(name: string): void {
    const containers = this.record.containers.filter((placed) => placed.host.name !== name);
    const { ledger } = this.record;
    const isCordoned = ledger.cordons?.some((cordon) => cordon.host === name);
    this.record = { ...this.record, containers, ledger: isCordoned ? counted(withoutCordon(ledger, name)) : ledger };
  }

  /** All of it but the locks and the record's mark, as text: what is equal has not changed. */
  state(): string {
    const used = [...this.engines].filter(([, { containers, edge }]) => edge || containers.size > 0);
    const engines = used.map(([name, { containers, routes, edge }]) => {
      const runs = [...containers].map(([each, { running }]) => `${each} ${running}`);
      return { name, routes, edge, runs };
    });
    const beside = [[...this.machines], this.backends, [...this.data], [...this.changed]];
    return `${textOf(this.record)} ${JSON.stringify([engines, ...beside])}`;
  }
}

/** A record never changes, and its text is long: it is made once. */
const texts = new WeakMap<EnvironmentRecord, string>();

function textOf(found: EnvironmentRecord): string {
  const { basis: _, audit: __, ...recorded } = found;
  const text = texts.get(found) ?? JSON.stringify(recorded);
  texts.set(found, text);
  return text;
}

/** Names of the places where an environment's releases run and its edges are. */
export const hostNames = (environment: Environment) => [
  ...new Set([...environment.hosts, ...placesOf(environment)].map(({ name }) => name)),
];

const targetOf = (environment: Environment, name: string): Target =>
  [...environment.hosts, ...placesOf(environment)].find((each) => each.name === name) ?? host(name);
