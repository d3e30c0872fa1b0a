import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AccessoriesAdapter } from '../../infra/adapters/accessories.ts';
import type { AuditLogAdapter } from '../../infra/adapters/audit-log.ts';
import { BundlesAdapter } from '../../infra/adapters/bundles.ts';
import { DatabasesAdapter } from '../../infra/adapters/databases.ts';
import { DriftAdapter } from '../../infra/adapters/drift.ts';
import { DumpsAdapter } from '../../infra/adapters/dumps.ts';
import { EnvironmentLocks } from '../../infra/adapters/environment-lock.ts';
import { steadyNow } from '../../infra/system/clock.ts';
import { EvidenceRecord } from '../../infra/adapters/evidence-record.ts';
import { EvidenceAdapter } from '../../infra/adapters/evidence.ts';
import type { StandIn } from '../../infra/adapters/foundation-images.ts';
import { FoundationAdapter } from '../../infra/adapters/foundation.ts';
import { HostsAdapter } from '../../infra/adapters/hosts.ts';
import { MachinesAdapter } from '../../infra/adapters/machines/machines.ts';
import { ReaperAdapter } from '../../infra/adapters/reaper.ts';
import { RecordsAdapter } from '../../infra/adapters/records.ts';
import { releaseRegistry } from '../../infra/adapters/registry.ts';
import type { CopyDependencies } from '../../infra/adapters/release-copies.ts';
import { RemovalAdapter } from '../../infra/adapters/removal.ts';
import { StacksAdapter } from '../../infra/adapters/stacks.ts';
import { StorageAdapter } from '../../infra/adapters/storage.ts';
import { SecretKey } from '../../infra/context/secret-key.ts';
import { SecretValues } from '../../infra/context/secret-values.ts';
import type { Session } from '../../infra/context/session.ts';
import { Connections } from '../../infra/docker/connections.ts';
import { LockKeeper } from '../../infra/hosts/lock-keeper.ts';
import type { PulumiSettings } from '../../infra/pulumi/cli.ts';
import type { StackRunner } from '../../infra/pulumi/stack-runner.ts';
import type { Bundle } from '../../infra/registry/bundle/bundle.ts';
import { RegistryClient, type Location } from '../../infra/registry/client.ts';
import { Referrers } from '../../infra/registry/referrers.ts';
import { RegistryWriter } from '../../infra/registry/writer.ts';
import { backendFolder } from '../../infra/system/backend-folder.ts';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { VerificationAdapter } from '../../infra/adapters/verification.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { embeddedEdge, embeddedRegistry, isEmbedded } from '../../pipelines/model/embedded.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import type { Release } from '../../pipelines/model/release.ts';
import type { Context } from '../../pipelines/operations/ports.ts';
import { reproducedRelease } from '../../pipelines/planning/plan-reproduction.ts';
import { DockerBuilder } from '../project/builder.ts';
import { configurationIn } from '../project/configuration.ts';
import { EdgeStandIn, mayStandIn } from '../project/edge-stand-in.ts';
import { EmbeddedRegistry } from '../project/embedded-registry.ts';
import { loadProject } from '../project/load.ts';
import { readPassphrase } from '../project/passphrase.ts';
import { findReproduction, projectOf, projectWithout, type FoundReproduction } from '../project/reproductions.ts';
import { releaseNotes } from '../project/release-notes.ts';
import { SecretStore } from '../project/secret-store.ts';
import { openStateFolder } from '../project/state-folder.ts';
import { Redactor } from '../tools/redactor.ts';
import { actorOf } from './actor.ts';
import { refuseOver } from './environment-life.ts';
import { leaseOf } from './lease.ts';
import { CommandObservers } from './observers.ts';
import { auditLogOf } from './open-audit.ts';
import { ConsoleTerminal } from './terminal.ts';

/** Options that every command that opens a project takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly cwd?: string;
  /** the command reads what is recorded and no secret: where the state is a folder, it needs no passphrase */
  readonly keyless?: boolean;
  /** the environment that the command is about: one that is reproduced here has a project and a state of its own */
  readonly about?: string | undefined;
  /** no hook of the project runs */
  readonly skipHooks?: boolean;
}

/** The outside world as operations see it, with what commands that only read need besides. */
export interface CommandContext extends Context {
  readonly audit: AuditLogAdapter;
  readonly records: RecordsAdapter;
  readonly machines: MachinesAdapter;
  readonly accessories: AccessoriesAdapter;
  readonly reaper: ReaperAdapter;
  readonly bundles: BundlesAdapter;
  readonly databases: DatabasesAdapter;
  readonly connections: Connections;
  readonly registryClient: RegistryClient;
  readonly embedded: EmbeddedRegistry;
  /** loads Pulumi, which is only needed for changes */
  readonly loadPulumi: () => Promise<StackRunner>;
  readonly terminal: ConsoleTerminal;
  /** absent: of a reproduction, which others hear nothing of */
  readonly observers?: CommandObservers;
}

/** A project, and where it keeps what is its own. */
interface Place {
  readonly configured: Project;
  /** state, passphrase and what Pulumi needs */
  readonly folder: string;
  /** the accepted keys of hosts */
  readonly keys: string;
  /** it is a reproduction’s: variables name the passphrase of another state */
  readonly isOwn?: true;
  /** returns releases that are recorded elsewhere, and can run here too */
  readonly elsewhere?: () => Promise<readonly Release[]>;
  readonly bundle?: Bundle;
}

/**
 * Opens the context of a command, from the configuration of the folder it runs in, or from the record of the reproduction that
 * it is about. Throws LockageError.
 */
export async function openContext(options: GlobalOptions, signal: AbortSignal): Promise<CommandContext> {
  const cwd = options.cwd ?? process.cwd();
  const reproduced = options.about === undefined ? undefined : await findReproduction(cwd, options.about);
  if (reproduced) {
    await refuseOver(reproduced);
    return openReproduction(reproduced, options, signal);
  }
  const { configured, keyless } = await projectAround(cwd);
  const folder = await openStateFolder(configured.root);
  return openPlace({ configured, folder, keys: folder }, { ...options, ...(keyless ? { keyless } : {}) }, signal);
}

/** Returns the project around a folder; one without environments where there is none, but something was reproduced. */
async function projectAround(cwd: string): Promise<{ readonly configured: Project; readonly keyless?: true }> {
  try {
    return { configured: await loadProject(cwd) };
  } catch (error) {
    const bare = error instanceof LockageError ? await projectWithout(cwd) : undefined;
    if (bare) return { configured: bare, keyless: true };
    throw error;
  }
}

/**
 * Opens the context of a reproduction, which sees nothing of its original but releases that can be promoted to it. `bundle`: a
 * file that has its images. Throws LockageError.
 */
export async function openReproduction(
  found: FoundReproduction,
  options: GlobalOptions & { readonly bundle?: Bundle },
  signal: AbortSignal,
): Promise<CommandContext> {
  const { folder, reproduction } = found;
  const root = dirname(dirname(dirname(folder)));
  const place = {
    configured: projectOf(found),
    folder,
    keys: await openStateFolder(root),
    isOwn: true as const,
    elsewhere: async () => [reproducedRelease(reproduction), ...(await releasesOf(root, signal))],
    ...(options.bundle ? { bundle: options.bundle } : {}),
  };
  return openPlace(place, options, signal);
}

/** Returns the releases of the project that a reproduction lies in; none where that cannot be read. */
async function releasesOf(root: string, signal: AbortSignal): Promise<readonly Release[]> {
  try {
    const context = await openContext({ cwd: root, keyless: true, yes: true }, signal);
    return await context.records.releases().finally(() => context.connections.close());
  } catch (error) {
    if (error instanceof LockageError) return [];
    throw error;
  }
}

async function openPlace(place: Place, options: GlobalOptions, signal: AbortSignal): Promise<CommandContext> {
  const { configured, folder, bundle } = place;
  const { app, root, backend } = configured;
  const redactor = new Redactor();
  const { json = false, yes = false } = options;
  const terminal = new ConsoleTerminal({ json, yes, redactor, signal });
  const passphrase = await passphraseOf(options, place);
  redactor.add(passphrase === '' ? [] : [passphrase]);
  const settings = { backend, passphrase, folder: join(folder, 'pulumi') };
  const embedded = new EmbeddedRegistry({ tell: (text) => terminal.note(text), signal });
  const { registry, copies, referrers } = registriesOf(configured, embedded, terminal, signal);
  // The current hosts: the keys and certificates of a recorded host may have moved.
  let project = configured;
  const configuredHosts = () => project.environments.flatMap(({ hosts }) => hosts);
  const connections = new Connections({ stateDir: place.keys, configured: configuredHosts });
  const actor = actorOf();
  const keeper = new LockKeeper({ app, actor, connections, lease: leaseOf(process.env) });
  const key = new SecretKey(app, passphrase);
  const held = { connections, lock: keeper, signal, ...(bundle ? { bundle } : {}) };
  const session = sessionOf({ stateFolder: folder, terminal, redactor, registry, key, ...held });
  const stacks = pulumiLoader(settings, app, keeper);
  const records = new RecordsAdapter(settings, app, session, stacks, place.elsewhere);
  const mask = (text: string) => redactor.redact(text);
  const drift = new DriftAdapter({ app, session, records, folder: join(folder, 'drift'), mask });
  const locks = new EnvironmentLocks({ app, session, keeper, records, stacks });
  const machines = new MachinesAdapter({ project: configured, session, actor, records, stacks });
  project = await machines.locate();
  const { skipHooks = false } = options;
  const notes = async (release: Release) => releaseNotes(configured, release, await records.releases());
  const heard = { project, actor, redactor, terminal, signal, skipHooks, env: process.env, notes };
  const { integrations } = configured;
  return contextOf({
    ...(integrations ? { observers: new CommandObservers(heard, integrations) } : {}),
    project,
    root,
    stateFolder: folder,
    actor,
    audit: auditLogOf(configured, { folder, terminal, signal }),
    settings,
    session,
    registry,
    embedded,
    standIn: standInOf(place, registry, terminal, signal),
    copies,
    referrers,
    records,
    locks,
    machines,
    drift,
    stacks,
    redactor,
    terminal,
  });
}

/** The parts of a context that others are made from. */
interface Opened extends StoreParts, Pick<CommandContext, 'observers'> {
  readonly stateFolder: string;
  readonly root: string;
  readonly actor: string;
  readonly audit: AuditLogAdapter;
  readonly registry: RegistryClient;
  readonly embedded: EmbeddedRegistry;
  readonly standIn: StandIn | undefined;
  readonly copies: CopyDependencies;
  readonly referrers: Referrers;
  readonly records: RecordsAdapter;
  readonly locks: EnvironmentLocks;
  readonly machines: MachinesAdapter;
  readonly drift: DriftAdapter;
  readonly stacks: () => Promise<StackRunner>;
}

function contextOf({
  root,
  stateFolder,
  actor,
  audit,
  registry,
  embedded,
  standIn,
  copies,
  referrers,
  locks,
  machines,
  drift,
  records,
  stacks,
  observers,
  ...parts
}: Opened): CommandContext {
  const { project, session, terminal } = parts;
  const { connections, signal } = session;
  const { app } = project;
  const accessories = new AccessoriesAdapter(app, session);
  const builder = new DockerBuilder({ project, registry, writer: copies.writer, terminal, signal });
  const foundation = new FoundationAdapter({ project, session, records, registry, standIn, stacks });
  return {
    project,
    actor,
    audit,
    pause: (milliseconds) => sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted()),
    now: steadyNow,
    newOperation: () => randomUUID().slice(0, 8),
    records,
    registry: releaseRegistry(registry, { ...platformOf(project), copies }),
    builder,
    configuration: configurationIn(root),
    hosts: new HostsAdapter(app, session, registry, locks),
    machines,
    stacks: new StacksAdapter({ app, edgeImage: project.edgeImage, session, records, foundation, stacks }),
    removal: new RemovalAdapter({ app, session, records, stacks }),
    accessories,
    dumps: new DumpsAdapter(join(stateFolder, 'dumps'), root, accessories),
    reaper: new ReaperAdapter({ project, session, registry, standIn }),
    storage: new StorageAdapter(app, session, registry, freeing(project, embedded)),
    drift,
    verification: new VerificationAdapter(app, session, registry),
    databases: new DatabasesAdapter({ project, session, registry, push: (tag) => builder.pushTag(tag) }),
    bundles: new BundlesAdapter({
      ...{ project, records, registry, connections, signal, variables: process.env },
      tell: (text) => terminal.note(text),
    }),
    evidence: new EvidenceAdapter({
      record: new EvidenceRecord({ settings: parts.settings, project: app, session, stacks }),
      ...{ project, referrers, signal, variables: process.env },
    }),
    secrets: secretStore(parts),
    terminal,
    ...(observers ? { observers } : {}),
    ...(observers?.approvals ? { approvals: observers.approvals } : {}),
    signal,
    connections,
    registryClient: registry,
    embedded,
    loadPulumi: stacks,
  };
}

/** Returns what serves in place of the official edge. An edge that somebody names is that one alone. */
function standInOf(
  { configured, isOwn }: Place,
  registry: RegistryClient,
  terminal: ConsoleTerminal,
  signal: AbortSignal,
): StandIn | undefined {
  const { edgeImage, repository } = configured;
  const tell = (text: string) => terminal.note(text);
  const isForeign = isOwn === true;
  if (!mayStandIn(edgeImage, isForeign)) return undefined;
  const standIn = new EdgeStandIn({ repository, isForeign, registry, tell, signal });
  return async (image) => (image === edgeImage ? standIn.insteadOf(image) : undefined);
}

/** Returns what frees the disk of a registry that is this computer's. */
function freeing({ repository }: Project, embedded: EmbeddedRegistry): (() => Promise<void>) | undefined {
  return isEmbedded(repository) ? () => embedded.collect() : undefined;
}

/** Returns the passphrase of the state; nothing where the command needs none. */
async function passphraseOf({ keyless }: GlobalOptions, { folder, configured, isOwn }: Place): Promise<string> {
  const { backend } = configured;
  const isNeeded = !keyless || backendFolder(backend) === undefined;
  return isNeeded ? readPassphrase(folder, backend, isOwn ? {} : process.env) : '';
}

/**
 * Returns the registries: what is recorded as lying in the embedded one lies in the repository of the project once it names
 * one, except to what copies it there.
 */
function registriesOf(
  { insecureRegistries: insecure, repository: configured }: Project,
  embedded: EmbeddedRegistry,
  terminal: ConsoleTerminal,
  signal: AbortSignal,
): { readonly registry: RegistryClient; readonly copies: CopyDependencies; readonly referrers: Referrers } {
  const { LOCKAGE_PULL_CONFIG: pullConfig } = process.env;
  const options = { insecure, ...(pullConfig ? { pullConfig } : {}), signal };
  const inEmbedded = async (repository: string): Promise<Location> => {
    if (!isEmbedded(repository)) return { repository };
    const { address, container } = await embedded.running();
    return { repository: repository.replace(embeddedRegistry, address), container };
  };
  const hasMoved = (repository: string) =>
    isEmbedded(repository) && repository !== embeddedEdge && !isEmbedded(configured);
  const today = async (repository: string): Promise<Location> =>
    hasMoved(repository) ? { repository: configured } : inEmbedded(repository);
  return {
    registry: new RegistryClient({ ...options, locate: today }),
    referrers: new Referrers({ ...options, locate: today }),
    copies: {
      embedded: new RegistryClient({ ...options, locate: inEmbedded }),
      writer: new RegistryWriter(options),
      progress: (event) => terminal.host(event),
    },
  };
}

function platformOf({ build: { platform, platforms } }: Project) {
  return { platform, platforms };
}

interface StoreParts {
  readonly project: Project;
  readonly settings: PulumiSettings;
  readonly session: Session;
  readonly redactor: Redactor;
  readonly terminal: ConsoleTerminal;
}

function secretStore({ session, terminal, ...parts }: StoreParts): SecretStore {
  return new SecretStore({ ...parts, values: session.secrets, tell: (text) => terminal.note(text) });
}

interface SessionParts extends Pick<Session, 'connections' | 'lock' | 'bundle' | 'signal'> {
  readonly stateFolder: string;
  readonly terminal: ConsoleTerminal;
  readonly redactor: Redactor;
  readonly registry: RegistryClient;
  readonly key: SecretKey;
}

function sessionOf({ stateFolder, terminal, redactor, registry, key, ...parts }: SessionParts): Session {
  return {
    ...parts,
    secrets: new SecretValues(key),
    registryAuth: (repository) => registry.registryAuthHeader(repository),
    progress: (event) => terminal.host(event),
    mask: (text) => redactor.redact(text),
    machines: {
      machines: join(stateFolder, 'machines'),
      loadBalancers: join(stateFolder, 'fronts'),
      keys: join(stateFolder, 'machine-keys'),
      images: join(cacheFolder(), 'machine-images'),
    },
  };
}

/** Returns a function that loads Pulumi at its first call. */
function pulumiLoader(settings: PulumiSettings, app: string, lock: LockKeeper): () => Promise<StackRunner> {
  let loaded: Promise<StackRunner> | undefined;
  return () =>
    (loaded ??= import('../../infra/pulumi/stacks.ts').then((module) => new module.PulumiStacks(settings, app, lock)));
}
