import { hostRoutes, idleRoutes } from '../../../infra/edge/host-routes.ts';
import { LockageError, LockedError } from '../../../pipelines/errors.ts';
import { archiveOf } from '../../../pipelines/model/archive.ts';
import { onActiveHosts } from '../../../pipelines/model/cordons.ts';
import { samePlace, type DesiredState, type PlacedJob } from '../../../pipelines/model/desired-state.ts';
import type { Environment } from '../../../pipelines/model/environment.ts';
import { ended, lastNumber } from '../../../pipelines/model/fence.ts';
import { isSameHolder, type LockHolder } from '../../../pipelines/model/lock-holder.ts';
import { currentPool, otherPool } from '../../../pipelines/model/machine-pool.ts';
import { withRelease } from '../../../pipelines/model/releases.ts';
import type { Ledger } from '../../../pipelines/model/revision.ts';
import type { JobResult } from '../../../pipelines/model/verification.ts';
import { VerificationFailedError } from '../../../pipelines/model/verification-failed.ts';
import { toRecord } from '../../../pipelines/model/target-record.ts';
import type { Secrets, Terminal } from '../../../pipelines/operations/ports/operator.ts';
import type { Context, Ports } from '../../../pipelines/operations/ports.ts';
import type { FoundationRequest } from '../../../pipelines/operations/ports/stacks.ts';
import { host, record, release } from '../model/values.ts';
import { hostNames, type MemoryPlace } from './memory-place.ts';
import type { MemoryWorld } from './memory-world.ts';

/** The ports of a world, each of whose calls is noted in it. */
export function memoryPorts(world: MemoryWorld): Ports & Pick<Context, 'secrets' | 'terminal'> {
  return {
    records: noted(world, 'records', records(world)),
    registry: noted(world, 'registry', registry(world)),
    builder: noted(world, 'builder', builder(world)),
    configuration: { ...noted(world, 'configuration', configuration), fileOf: configuration.fileOf },
    hosts: { ...noted(world, 'hosts', hosts(world)), checkLock: async () => world.refuseOvertaken() },
    machines: noted(world, 'machines', machines(world)),
    stacks: noted(world, 'stacks', stacks(world)),
    removal: noted(world, 'removal', removal(world)),
    accessories: noted(world, 'accessories', accessories(world)),
    storage: noted(world, 'storage', storage(world)),
    drift: noted(world, 'drift', drift(world)),
    bundles: noted(world, 'bundles', bundles(world)),
    dumps: noted(world, 'dumps', dumps(world)),
    verification: noted(world, 'verification', verification(world)),
    evidence: noted(world, 'evidence', signatures(world)),
    secrets: { ...noted(world, 'secrets', secrets(world)), mask: secrets(world).mask },
    terminal: terminal(world),
  };
}

/** The same port, with each call of it carried out through the world. */
function noted<Port extends object>(world: MemoryWorld, name: string, port: Port): Port {
  const calls = Object.entries(port).map(([key, work]: [string, (...values: unknown[]) => unknown]) => [
    key,
    (...values: unknown[]) => world.call(`${name}.${key}`, () => work(...values)),
  ]);
  return Object.fromEntries(calls) as Port;
}

const records = (world: MemoryWorld): Ports['records'] => ({
  environments: async () => [...world.places.keys()],
  environment: async (name) => world.place(name).known(archiveOf(world.archives, name)),
  releases: async () => world.releases,
  addRelease: async (added) => {
    world.releases = withRelease(world.releases, added);
    return world.releases.find(({ version }) => version === added.version) ?? added;
  },
  addReleases: async (added) => void (world.releases = added.reduce(withRelease, world.releases)),
  blocks: async () => world.blocks,
  changeBlocks: async (change) => (world.blocks = change(world.blocks)),
  machineImages: async () => world.images,
  archives: async () => world.archives,
  locks: async () => world.recordLocks,
  liftLocks: async (locks) => void (world.recordLocks = world.recordLocks.filter((lock) => !locks.includes(lock))),
  changeArchives: async (change) => (world.archives = change(world.archives)),
});

const signatures = (world: MemoryWorld): Ports['evidence'] => ({
  signer: async () => world.signer,
  show: async () => void (await world.signer?.sign(Buffer.from('shown'))),
  of: async ({ digest }) => ({ bundles: world.evidence.get(digest) ?? [] }),
  add: async ({ digest }, added) => {
    world.evidence.set(digest, [...(world.evidence.get(digest) ?? []), ...added.map(({ text }) => text)]);
    return world.registryProblem === undefined ? {} : { problem: world.registryProblem };
  },
});

const bundles = (world: MemoryWorld): Ports['bundles'] => ({
  write: async (environment, revision, file) => {
    world.files.set(file, `revision ${revision} of ${environment}`);
    return { file, sha256: file, bytes: 1000 };
  },
  check: async ({ file }) => {
    if (!world.files.has(file)) throw new LockageError(`${file} is no bundle: there is no such file`);
  },
});

const registry = (world: MemoryWorld): Ports['registry'] => ({
  verify: async () => {
    if (world.moved)
      throw new LockageError('tag was moved since the release was made', { hint: 'Make a new version.' });
  },
  image: async (reference) => {
    const { repository, digest, platform } = release(reference.split(':').at(-1) ?? '');
    return { repository, digest, platform };
  },
  tagged: async (_repository, version) => world.tags.get(version),
  labels: async ({ digest }) => world.labels.get(digest) ?? {},
  copy: async () => ({ outcome: 'copied', bytes: 1000 }),
});

const builder = (world: MemoryWorld): Ports['builder'] => ({
  tree: async () => world.tree,
  build: async (version, _source, labels) => void world.labels.set(release(version).digest, labels),
  push: async (version) => {
    const { repository, digest, platform } = release(version);
    world.tags.set(version, digest);
    return { repository, digest, platform };
  },
  restoreTag: async ({ version, digest }) => void world.tags.set(version, digest),
  packages: async () => ({
    packages: [{ name: 'web', version: '1', purl: 'pkg:npm/web@1' }],
    tool: { name: 'lockage' },
  }),
});

const configuration: Ports['configuration'] = {
  fileOf: (environment) => `environments/${environment}.yaml`,
  checkWithoutHost: async () => undefined,
  removeHost: async () => undefined,
};

const hosts = (world: MemoryWorld): Ports['hosts'] => ({
  lock: async (environment, purpose) => takeLock(world, environment, purpose),
  lockHolder: async (environment) => {
    const [holder] = hostNames(environment).flatMap((name) => world.place(environment.name).locks.get(name) ?? []);
    return holder && { holder };
  },
  liftLock: async ({ name }, holder) => liftLock(world.place(name).locks, holder),
  checkLock: async () => undefined,
  look: async (environment) => hostNames(environment).map((name) => world.place(environment.name).report(name)),
  kept: async ({ name }, targets) => targets.map((each) => world.place(name).kept(each)),
  preflight: async (environment) => hostNames(environment).map((name) => world.place(environment.name).report(name)),
  traits: async () => [],
  clocks: async (environment) =>
    hostNames(environment).map((on) =>
      world.place(environment.name).silent.has(on)
        ? { host: on, error: 'does not answer' }
        : { host: on, ahead: world.ahead, precision: 5 },
    ),
  pull: async (environment) => Object.fromEntries(hostNames(environment).map((name) => [name, 1000])),
  forgetImages: async (_environment, _repository, unneeded) => void world.forgotten.push(...unneeded),
  switchNow: async (desired) => {
    world.place(desired.environment).claim(desired.turn);
    world.place(desired.environment).switchTo(desired);
  },
  closeIdle: async (desired) => {
    const idle = idleRoutes(desired).map(({ host: on }) => on.name);
    for (const on of idle) world.place(desired.environment).engine(on).routes = [];
    return idle.length > 0;
  },
  rehearse: async ({ environment, serving }) => {
    const { engines } = world.place(environment);
    const silent = serving.find(
      ({ host: on, spec }) => spec.route && !engines.get(on.name)?.containers.get(spec.name)?.running,
    );
    if (silent) throw new LockageError(`${silent.host.name}: ${silent.spec.name} is not running`);
  },
  startAndStop: async ({ name }, start, stop) => {
    for (const placed of start) world.place(name).run(placed, true);
    for (const placed of stop) world.place(name).run(placed, false);
  },
  serving: async (desired) => world.place(desired.environment).answersOf(desired),
  removeOthers: async (environment, recorded) =>
    world.place(environment.name).removeOthers(hostNames(environment), recorded),
});

function takeLock(world: MemoryWorld, environment: Environment, purpose: string) {
  const { name } = environment;
  const { locks } = world.place(name);
  const free = hostNames(environment).filter((on) => locks.get(on)?.actor !== 'anna@desk');
  const [holder] = free.flatMap((on) => locks.get(on) ?? []);
  if (holder) throw new LockedError(`${name} is locked by ${holder.actor}: ${holder.purpose}`);
  const mine = { actor: 'anna@desk', machine: 'desk', pid: 1, since: '2026-01-02T00:00:00Z', purpose };
  for (const on of free) locks.set(on, mine);
  return async () =>
    world.call('hosts.unlock', () => {
      for (const on of free) if (locks.get(on) === mine) locks.delete(on);
    });
}

function liftLock(locks: Map<string, LockHolder>, holder: LockHolder): boolean {
  const theirs = [...locks].filter(([, other]) => isSameHolder(holder, other));
  for (const [on] of theirs) locks.delete(on);
  return theirs.length > 0;
}

const machines = (world: MemoryWorld): Ports['machines'] => ({
  pendingChanges: async ({ name, machines: set, hosts: wanted }) => {
    const missing = set ? wanted.filter((each) => !world.place(name).machines.has(each.name)) : [];
    return missing.map((each) => `${each.name} is made first`);
  },
  needsReplacement: async ({ name, hosts: wanted }, image) =>
    wanted.some((each) => world.place(name).machines.get(each.name) !== image),
  ensure: async (environment, image) => ensure(world.place(environment.name), image),
  routeTo: async ({ name, machines: set, hosts: wanted }) => {
    const place = world.place(name);
    const next = wanted.map((each) => each.name);
    if (!set || next.join() === place.backends.join()) return false;
    place.backends = next;
    return true;
  },
  reconcile: async (name) => reconcileMachines(world.place(name)),
  present: async (name) => {
    const names = [...world.place(name).machines.keys()];
    return { recorded: names.length > 0, names, urls: names.map((each) => toRecord(host(each)).url) };
  },
  destroy: async (name, begin) => {
    await begin();
    for (const each of world.place(name).machines.keys()) world.place(name).removeMachine(each);
    world.place(name).backends = [];
  },
  start: async (name) =>
    [...world.place(name).machines.keys()].map((each) => ({ environment: name, host: each, runs: true })),
  build: async (version, kind) => {
    const image = { kind, version, digest: `sha256:${kind}-${version}`, builder: 'anna@desk', createdAt: '2026-01-02' };
    world.images = [...world.images, image];
    return image;
  },
});

function ensure(place: MemoryPlace, image = 'sha256:first'): Environment {
  const { configured, record: recorded } = place;
  if (!configured.machines) return configured;
  const serving = currentPool(configured.name, recorded.ledger, [...place.machines.keys()]);
  const replaced = place.withAddresses(serving).machines?.image;
  const pool = replaced !== undefined && replaced !== image ? otherPool(serving) : serving;
  place.makeMachines(pool, image);
  return place.withAddresses(pool);
}

function reconcileMachines(place: MemoryPlace): void {
  if (!place.configured.machines) return;
  place.routeToServing();
  const serving = new Set(place.withAddresses().hosts.map(({ name }) => name));
  for (const name of place.machines.keys()) if (!serving.has(name)) place.removeMachine(name);
}

const stacks = (world: MemoryWorld): Ports['stacks'] => ({
  foundationNotes: async ({ active, drifted = [] }) => {
    const missing = hostNames(active).some((name) => !world.place(active.name).engine(name).edge);
    return missing || drifted.length > 0 ? ['networks, edge proxies and accessories are made first'] : [];
  },
  foundation: async ({ active, drifted = [] }: FoundationRequest) => {
    const place = world.place(active.name);
    for (const name of hostNames(active)) place.engine(name).edge = true;
    for (const { host: on, what } of drifted) place.changed.delete(`${on.name}/${what}`);
  },
  recordAttempt: async (desired) => world.place(desired.environment).takeTurn(desired),
  deploy: async (desired) => deploy(world, desired),
  adopt: async (desired) => adopt(world, desired),
  adoptFoundation: async () => [],
  copyRecord: async ({ environment, hosts: to, turn }) =>
    world.place(environment).tell(
      to.map(({ name }) => name),
      turn,
    ),
});

/** Only the record: nothing that hosts have is looked at. */
function adopt(world: MemoryWorld, desired: DesiredState): void {
  const { ledger, serving, standby, migration, secrets: needed } = desired;
  const place = world.place(desired.environment);
  place.takeTurn(desired);
  const { basis } = place.record;
  const containers = [...serving, ...standby];
  place.record = { basis, ledger, containers, secrets: needed, ...(migration ? { migration } : {}) };
  tell(place, desired);
}

function tell(place: MemoryPlace, desired: DesiredState): void {
  const told = hostRoutes(desired).map(({ host: on }) => on.name);
  const { turn, ledger } = desired;
  place.tell(told, lastNumber(ledger) >= turn.revision ? ended(turn) : turn);
}

/** As the environment's program does it: containers, proof, routes, record, and only then what is not needed goes. */
function deploy(world: MemoryWorld, desired: DesiredState): void {
  const place = world.place(desired.environment);
  const { serving, standby, secrets: needed, migration, handover } = desired;
  place.takeTurn(desired);
  world.reach('stacks.deploy claimed');
  if (desired.guarded) world.signal.throwIfAborted();
  for (const placed of desired.anew ?? []) place.remove(placed);
  for (const placed of serving) place.create(placed);
  for (const placed of standby) place.create(placed, placed.spec.route !== undefined);
  for (const placed of desired.again ?? []) place.run(placed, placed.spec.route !== undefined || !desired.drill);
  if (migration) place.record = { ...place.record, migration };
  for (const placed of desired.wake) place.run(placed, true);
  world.reach('stacks.deploy made');
  const takeBack = place.switchTo(desired);
  const results = (desired.jobs ?? []).map((job) => resultOf(world, job));
  if (handover) place.backends = handover.to.map(({ name }) => name);
  try {
    world.reach('stacks.deploy switched');
    for (const result of results)
      if (!result.passed) throw new VerificationFailedError(`${result.job} failed`, results, { details: result.log });
  } catch (error) {
    // Hosts go back by themselves when nobody confirms.
    if (desired.guarded && !handover) takeBack();
    throw error;
  }
  for (const placed of onActiveHosts(desired.ledger, standby)) if (!placed.spec.route) place.run(placed, false);
  world.reach('stacks.deploy settled');
  place.record = { ...place.record, ledger: verified(desired.ledger, results), secrets: needed };
  world.reach('stacks.deploy recorded');
  const kept = [...serving, ...standby];
  const containers = place.record.containers.filter((placed) => kept.some((other) => samePlace(other, placed)));
  place.removeOthers([...place.engines.keys()], kept);
  const { migration: _, ...rest } = place.record;
  place.record = { ...(migration ? place.record : rest), containers };
  tell(place, desired);
}

function verified(ledger: Ledger, results: readonly JobResult[]): Ledger {
  const last = ledger.revisions.at(-1);
  if (!last || results.length === 0) return ledger;
  return { ...ledger, revisions: [...ledger.revisions.slice(0, -1), { ...last, verification: results }] };
}

const removal = (world: MemoryWorld): Ports['removal'] => ({
  recorded: async (name) => {
    const { record: recorded, engines } = world.place(name);
    const parts = new Set<'releases' | 'foundation'>();
    if (lastNumber(recorded.ledger) > 0) parts.add('releases');
    if ([...engines.values()].some(({ edge }) => edge)) parts.add('foundation');
    return parts;
  },
  inventory: async ({ name }, targets) => targets.map((each) => world.place(name).inventory(each.name)),
  destroyStack: async (name, part) => destroyStack(world.place(name), part),
  remove: async () => undefined,
  forgetStack: async (name, part) => void (part === 'releases' && world.place(name).restore(record([]))),
  forgetHost: async (name, gone) => world.place(name).forgetHost(gone),
});

function destroyStack(place: MemoryPlace, part: 'releases' | 'foundation'): undefined {
  for (const engine of place.engines.values()) {
    if (part === 'foundation') engine.edge = false;
    else [engine.routes] = [[], engine.containers.clear()];
  }
  if (part === 'releases') place.restore(record([]));
  // What hosts know lies with their edges.
  else place.forgetAll();
}

const accessories = (world: MemoryWorld): Ports['accessories'] => ({
  restart: async () => undefined,
  backUp: async () => ({ bytes: 1000, sha256: 'of a backup', took: 10 }),
  checkBackup: async () => undefined,
  restore: async ({ environment, accessory }, file) => {
    world.place(environment.name).data.set(accessory.name, file);
    world.reach('accessories.restore taken');
    const content = world.files.get(file.replace('/shop/', '')) ?? file;
    return { file, bytes: content.length, sha256: `of ${content}` };
  },
});

const storage = (world: MemoryWorld): Ports['storage'] => ({
  onHosts: async ({ name }, asked) =>
    asked.map((each) => {
      const { silent, untold, fence } = world.place(name);
      if (silent.has(each.name)) return { host: each, error: 'does not answer' };
      const stored = world.stored.get(each.name) ?? { images: [], volumes: [] };
      return { host: each, ...stored, ...(fence && !untold.has(each.name) ? { fence } : {}) };
    }),
  removeImage: async ({ name }, names) => {
    const { images, volumes } = world.stored.get(name) ?? { images: [], volumes: [] };
    world.stored.set(name, { volumes, images: images.filter((image) => image.names[0] !== names[0]) });
  },
  removeVolume: async ({ name }, gone) => {
    const { images, volumes } = world.stored.get(name) ?? { images: [], volumes: [] };
    world.stored.set(name, { images, volumes: volumes.filter((volume) => volume.name !== gone) });
  },
  inRegistry: async (wanted) => world.registry.filter(({ digest }) => wanted.some((each) => each.digest === digest)),
  removeFromRegistry: async ({ digest }) => {
    if (!world.deletes) return false;
    world.registry = world.registry.filter((image) => image.digest !== digest);
    return true;
  },
  freeRegistry: async () => undefined,
  machineImages: async () => world.cache,
  removeMachineImage: async (gone) => void (world.cache = world.cache.filter(({ digest }) => digest !== gone)),
});

const drift = (world: MemoryWorld): Ports['drift'] => ({
  find: async (environment, recorded) => world.place(environment.name).drift(environment, recorded),
  keep: async (name, evidence) => {
    for (const { host: on, what } of evidence) world.place(name).evidence.push(`${on.name}/${what}`);
    return `.lockage/drift/${name}`;
  },
});

const dumps = (world: MemoryWorld): Ports['dumps'] => ({
  take: async ({ environment, accessory }, name) => {
    const file = `.lockage/dumps/${environment.name}/${name}.dump`;
    const content = `${world.place(environment.name).data.get(accessory.name) ?? 'data'} in ${name}`;
    world.files.set(file, content);
    return { file, bytes: content.length, sha256: `of ${content}` };
  },
});

const verification = (world: MemoryWorld): Ports['verification'] => ({
  prepare: async (_environment, images) => Object.fromEntries(images.map(({ image }) => [image, `${image}@pinned`])),
  run: async (_environment, jobs) => jobs.map((job) => resultOf(world, job)),
});

/** How a job ends, and what it would print. */
function resultOf(world: MemoryWorld, { job, definition, spec }: PlacedJob): JobResult {
  const passed = !world.failing.has(job);
  return {
    ...{ job, definition, passed, tries: 1, duration: 100, image: spec.image, at: '2026-01-02T00:00:00.000Z' },
    ...(passed ? {} : { why: 'exit code 1' }),
    log: [`${job} says ${passed ? 'yes' : 'no'}`],
  };
}

const secrets = (world: MemoryWorld): Secrets => ({
  read: async () => world.versions,
  recall: async (name, needed) => {
    const recorded = world.place(name).record.secrets;
    const lost = needed.filter(
      (each) => !recorded.some((other) => other.name === each.name && other.version === each.version),
    );
    if (lost.length > 0)
      throw new LockageError(`not recorded: ${lost.map((each) => `${each.name} ${each.version}`).join(', ')}`);
  },
  mask: (text) => text.replaceAll(world.secret, '[secret]'),
});

const terminal = (world: MemoryWorld): Terminal => ({
  step: () => undefined,
  note: (text) => void world.notes.push(text),
  waiting: (text) => void world.notes.push(text),
  plan: (plan) => void world.plans.push(plan),
  adoption: (adoption) => void world.adoptions.push(adoption),
  inventory: () => undefined,
  pruning: (things) => void world.prunings.push(things),
  machines: () => undefined,
  get asks() {
    return world.asks;
  },
  confirm: async () => world.call('terminal.confirm', () => undefined),
});
