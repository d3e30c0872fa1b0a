import { embeddedRepository } from '../../model/embedded.ts';
import type {
  Accessory,
  Build,
  Dns,
  Environment,
  Hardening,
  Health,
  Log,
  Migration,
  Project,
  Role,
  Surroundings,
  Ulimits,
} from '../../model/environment.ts';
import type { Wanted } from '../../model/evidence/signature-policy.ts';
import type { EnvironmentHost, Host, MachineSet, Swarm, Target } from '../../model/target.ts';
import type { EnvironmentFile, ProjectFile } from '../schema/files.ts';
import { approvalRule } from '../schema/evidence.ts';
import { freezeWindow } from '../schema/freeze.ts';
import { trustedKeys } from '../schema/keys.ts';
import type { AccessoryFile, RoleFile } from '../schema/roles.ts';
import type { MachinesFile } from '../schema/targets.ts';
import { parseDuration, parseSize } from '../schema/units.ts';
import { defaults } from './defaults.ts';
import { resolveIntegrations } from './integrations.ts';
import { mapValues, mergeEnvironment, textValues, type Written } from './merge.ts';
import type { Stage } from './order.ts';
import { resolveVerification } from './verification.ts';
import { hostsOf, isMachines, sshConfigOf, swarmName, targetHosts, targetsOf } from './targets.ts';

/** Returns the project with every default filled in. `environments` are the files' contents by name. */
export function resolveProject(
  file: ProjectFile,
  stages: readonly Stage[],
  environments: ReadonlyMap<string, EnvironmentFile>,
  root: string,
): Project {
  const backend = resolveBackend(file.backend ?? defaults.backend, root);
  return {
    app: file.app,
    root,
    backend,
    ...(file.auditLog === undefined ? {} : { auditLog: resolveBackend(file.auditLog, root) }),
    repository: file.repository ?? embeddedRepository(file.app, backend),
    build: {
      context: file.build?.context ?? '.',
      dockerfile: file.build?.dockerfile ?? 'Dockerfile',
      args: textValues(file.build?.args ?? {}),
      ...(file.build?.platform === undefined ? {} : { platform: file.build.platform }),
      ...platformsOf(file),
    },
    insecureRegistries: file.insecureRegistries ?? [],
    ...(file.schema === undefined ? {} : { schema: file.schema }),
    ...(file.compatible === undefined ? {} : { compatible: file.compatible }),
    edgeImage: file.edge?.image ?? defaults.edgeImage,
    ...(file.keys === undefined ? {} : { keys: trustedKeys(file.keys) }),
    integrations: resolveIntegrations(file),
    environments: stages.flatMap((stage) => {
      const own = environments.get(stage.name);
      return own === undefined ? [] : [resolveEnvironment(file, stage, own, root)];
    }),
  };
}

/** One alone is the same as `platform`. */
function platformsOf({ build }: ProjectFile): Partial<Pick<Build, 'platform' | 'platforms'>> {
  const [first, ...others] = [...new Set(build?.platforms)];
  if (first === undefined) return {};
  return others.length === 0 ? { platform: first } : { platforms: [first, ...others] };
}

/** Resolves one environment: its own file over lockage.yaml over the defaults. */
export function resolveEnvironment(file: ProjectFile, stage: Stage, own: EnvironmentFile, root: string): Environment {
  const written = mergeEnvironment(file, own);
  const targets = targetsOf(own);
  const config = sshConfigOf(written.ssh?.config, root);
  const orchestrator = targets.isSwarm ? swarmOf(hostsOf(stage.name, targets.list, root, config)) : undefined;
  const hosts = orchestrator?.managers ?? targetHosts(stage.name, own.targets, root, config);
  return {
    name: stage.name,
    after: stage.after,
    hosts,
    ...(orchestrator ? { orchestrator } : {}),
    ...(isMachines(own.targets) ? { machines: resolveMachines(own.targets) } : {}),
    roles: Object.entries(written.roles).map(([name, role]) =>
      resolveRole(name, role, orchestrator ? [orchestrator] : hosts),
    ),
    accessories: Object.entries(written.accessories).map(([name, accessory]) =>
      resolveAccessory(name, accessory, hosts),
    ),
    ...(file.migration === undefined ? {} : { migration: resolveMigration(file.migration, written.env) }),
    secrets: written.secrets as Environment['secrets'],
    ...(written.secretsAt === 'memory' ? { secretsAt: 'memory' as const } : {}),
    watch: duration(written.watch) ?? defaults.watch,
    ...resolveGates(stage, written),
    ...(written.promote === 'auto' ? { promote: 'auto' as const } : {}),
    ...resolveVerification(written.verification, written.env),
    standby: written.standby ?? defaults.standby,
    same: [...new Set(written.same)],
    registry: { through: written.registry?.through ?? defaults.registryThrough },
    ...(config === undefined ? {} : { sshConfig: config }),
    ...(written.network ? { network: written.network } : {}),
    ...resolveEdge(written.edge),
  };
}

/** Before an environment that comes after none there is nothing in which a release could run. */
function resolveGates(
  { after }: Stage,
  { soak, freeze = [], evidence = [], approvals, breakGlass = [] }: Written,
): Pick<Environment, 'soak' | 'freeze' | 'evidence' | 'approvals' | 'breakGlass'> {
  const time = after.length === 0 ? 0 : (duration(soak) ?? 0);
  return {
    ...(time === 0 ? {} : { soak: time }),
    ...(freeze.length === 0 ? {} : { freeze: freeze.map(freezeWindow) }),
    ...(evidence.length === 0 ? {} : { evidence: [...new Set(evidence)] as Wanted[] }),
    ...(approvals ? approvalRule(approvals) : {}),
    ...(breakGlass.length === 0 ? {} : { breakGlass: [...new Set(breakGlass)] }),
  };
}

/** What nobody set is absent: a default that changes must not replace the edges of every environment by itself. */
function resolveEdge({ limits = {}, trustedProxies = [] }: Written['edge']): Pick<Environment, 'edge'> {
  const { memory, cpus, connections } = limits;
  const set = {
    ...(memory === undefined ? {} : { memory: parseSize(memory) ?? 0 }),
    ...(cpus === undefined || cpus === 'none' ? {} : { cpus }),
    ...(connections === undefined ? {} : { connections }),
  };
  const edge = {
    ...(Object.keys(set).length === 0 ? {} : { limits: set }),
    ...(trustedProxies.length === 0 ? {} : { trustedProxies: [...new Set(trustedProxies)].sort() }),
  };
  return Object.keys(edge).length === 0 ? {} : { edge };
}

/** Returns the swarm as the place where releases run; it has no address of its own. */
function swarmOf(managers: readonly Host[]): Swarm {
  return { kind: 'swarm', name: swarmName, managers };
}

function resolveMachines(written: MachinesFile): MachineSet {
  return {
    kind: written.kind,
    count: written.count ?? defaults.machine.count,
    memory: size(written.memory) ?? defaults.machine.memory,
    cpus: written.cpus ?? defaults.machine.cpus,
    ...(written.address === undefined ? {} : { address: written.address }),
    ...(written.kind === 'vm' ? { disk: size(written.disk) ?? defaults.machine.disk } : {}),
  };
}

function resolveRole(name: string, role: RoleFile, hosts: readonly Target[]): Role {
  const { limits = {} } = role;
  return {
    name,
    ...(role.command === undefined ? {} : { command: role.command }),
    count: role.count ?? 1,
    hosts: role.hosts ?? hosts.map((host) => host.name),
    env: textValues(role.env ?? {}),
    secrets: role.secrets ?? [],
    ...(role.port === undefined ? {} : { route: { publish: role.publish ?? defaults.publish, port: role.port } }),
    health: resolveHealth(role),
    limits: {
      memory: size(limits.memory) ?? defaults.limits.memory,
      ...processors(limits.cpus ?? defaults.limits.cpus),
      ...sharedMemory(limits.shmSize),
      pids: limits.pids ?? defaults.limits.pids,
      files: limits.files ?? defaults.limits.files,
      ...processLimits(limits.ulimits),
      log: size(limits.log) ?? defaults.limits.log,
    },
    hardening: resolveHardening(role.hardening ?? {}),
    ...(role.init === false ? { init: false as const } : {}),
    ...(role.log ? { log: resolveLog(role.log) } : {}),
    ...surroundings(role),
    stopGrace: duration(role.stop) ?? defaults.stopGrace,
    ...(role.replace === 'stop-first' ? { replace: role.replace } : {}),
  };
}

/**
 * Returns a limit of processors. One that was left out is not there at all: it is part of what a container is
 * identified by.
 */
function processors(cpus: number | 'none'): { cpus?: number } {
  return cpus === 'none' ? {} : { cpus };
}

function sharedMemory(written: string | undefined): { shmSize?: number } {
  return written === undefined ? {} : { shmSize: size(written) ?? 0 };
}

function processLimits(written: NonNullable<RoleFile['limits']>['ulimits']): { ulimits?: Ulimits } {
  if (written === undefined) return {};
  const count = (value: Count) => (value === 'unlimited' ? -1 : value);
  return {
    ulimits: mapValues(written as Readonly<Record<string, Ulimit>>, (value) => {
      const { soft, hard } = typeof value === 'object' ? value : { soft: value, hard: value };
      return { soft: count(soft), hard: count(hard) };
    }),
  };
}

type Count = number | 'unlimited';
type Ulimit = Count | { readonly soft: Count; readonly hard: Count };

/** Returns what was written, and no more: it is part of what a container is identified by. */
function surroundings({ extraHosts, dns, stopSignal }: RoleFile | AccessoryFile): Surroundings {
  return {
    ...(extraHosts === undefined ? {} : { extraHosts }),
    ...(dns === undefined ? {} : { dns: dns as Dns }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
  };
}

function resolveLog({ driver, options = {} }: NonNullable<RoleFile['log']>): Log {
  return driver === 'host' ? { driver } : { driver, options: textValues(options) };
}

function resolveHealth({ port: rolePort, health = {} }: RoleFile): Health {
  return {
    check: resolveCheck(health, health.port ?? rolePort),
    interval: duration(health.interval) ?? defaults.health.interval,
    healthy: health.healthy ?? defaults.health.healthy,
    timeout: duration(health.timeout) ?? defaults.health.timeout,
  };
}

function resolveCheck(health: NonNullable<RoleFile['health']>, port: number | undefined): Health['check'] {
  if (health.command !== undefined) return { kind: 'command', command: health.command };
  if (health.running !== undefined || port === undefined) {
    return { kind: 'running', for: duration(health.running) ?? defaults.health.running };
  }
  const host = health.host === undefined ? {} : { host: health.host };
  return { kind: 'http', path: health.path ?? defaults.health.path, port, ...host };
}

function resolveHardening(written: NonNullable<RoleFile['hardening']>): Hardening {
  const reasons: Record<string, string> = {};
  const open = <Value>(
    field: string,
    setting: Value | { value: Value; reason: string } | undefined,
    safe: Value,
  ): Value => {
    if (setting === undefined || setting === null || typeof setting !== 'object' || !('reason' in setting))
      return setting ?? safe;
    reasons[field] = setting.reason;
    return setting.value;
  };
  return {
    readOnly: open<boolean>('readOnly', written.readOnly, true),
    ...resolveTmpfs(written.tmpfs ?? {}, reasons),
    capabilities: open<readonly string[]>('capabilities', written.capabilities, []),
    noNewPrivileges: open<boolean>('noNewPrivileges', written.noNewPrivileges, true),
    ...(written.user === undefined ? {} : { user: String(written.user) }),
    allowRoot: open<boolean>('allowRoot', written.allowRoot, false),
    reasons,
  };
}

function resolveTmpfs(
  written: NonNullable<NonNullable<RoleFile['hardening']>['tmpfs']>,
  reasons: Record<string, string>,
): Pick<Hardening, 'tmpfs' | 'executable'> {
  const executable = Object.entries(written).flatMap(([path, made]) => {
    if (typeof made === 'string' || !made.exec) return [];
    reasons[`tmpfs ${path}`] = made.reason;
    return [path];
  });
  const sizes = mapValues(written, (made) => size(typeof made === 'string' ? made : made.size) ?? 0);
  return { tmpfs: { ...defaults.tmpfs, ...sizes }, ...(executable.length > 0 ? { executable } : {}) };
}

function resolveAccessory(name: string, accessory: AccessoryFile, hosts: readonly EnvironmentHost[]): Accessory {
  return {
    name,
    image: accessory.image ?? '',
    host: accessory.host ?? hosts[0]?.name ?? '',
    ...(accessory.command === undefined ? {} : { command: accessory.command }),
    env: textValues(accessory.env ?? {}),
    secrets: accessory.secrets ?? [],
    ...(accessory.secretsOwner === undefined ? {} : { secretsOwner: String(accessory.secretsOwner) }),
    ...(accessory.port === undefined ? {} : { port: accessory.port }),
    ...(accessory.expose === undefined ? {} : { expose: accessory.expose }),
    volumes: accessory.volumes ?? {},
    ...(accessory.health?.command === undefined
      ? {}
      : {
          health: {
            command: accessory.health.command,
            timeout: duration(accessory.health.timeout) ?? defaults.accessory.healthTimeout,
          },
        }),
    ...(accessory.backup === undefined ? {} : { backup: accessory.backup }),
    ...(accessory.kind === undefined ? {} : { kind: accessory.kind }),
    ...(accessory.seed === undefined ? {} : { seed: accessory.seed }),
    ...(accessory.migrated === undefined ? {} : { migrated: accessory.migrated }),
    memory: size(accessory.limits?.memory) ?? defaults.accessory.memory,
    ...processors(accessory.limits?.cpus ?? defaults.accessory.cpus),
    ...sharedMemory(accessory.limits?.shmSize),
    ...processLimits(accessory.limits?.ulimits),
    ...(accessory.init === undefined ? {} : { init: accessory.init }),
    ...(accessory.log ? { log: resolveLog(accessory.log) } : {}),
    ...surroundings(accessory),
  };
}

function resolveMigration(
  migration: NonNullable<ProjectFile['migration']>,
  env: Readonly<Record<string, string>>,
): Migration {
  return {
    command: migration.command,
    timeout: duration(migration.timeout) ?? defaults.migrationTimeout,
    secrets: migration.secrets ?? [],
    ...(migration.dump ? { dump: migration.dump, keep: migration.keep ?? defaults.dumpsKept } : {}),
    env: { ...env, ...textValues(migration.env ?? {}) },
  };
}

/**
 * Resolves the URL of the backend, or of a folder: relative file URLs start at lockage.yaml, wherever the command is called; `file://~` is the
 * operator's home folder. What means something in a URL may be part of the name of a folder.
 */
function resolveBackend(url: string, root: string): string {
  const folder = url.startsWith('file://') ? url.slice('file://'.length) : undefined;
  if (folder === undefined || folder.startsWith('~')) return url;
  // What follows two slashes at its beginning would be a computer.
  const written = folder
    .replace(/^\/+/, '/')
    .replaceAll('#', '%23')
    .replaceAll(/%(?![0-9a-f]{2})/gi, '%25');
  const base = `file://${root.split('/').map(encodeURIComponent).join('/')}/`;
  return new URL(written.startsWith('/') ? written : `./${written}`, base).href;
}

function duration(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

function size(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseSize(text);
}
