import type { EnvironmentFile, ProjectFile } from '../schema/files.ts';
import type { AccessoryFile, RoleFile } from '../schema/roles.ts';

/** An environment as written: its own file laid over lockage.yaml, before defaults. */
export interface Written {
  readonly roles: Readonly<Record<string, RoleFile>>;
  readonly accessories: Readonly<Record<string, AccessoryFile>>;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: NonNullable<ProjectFile['secrets']>;
  readonly secretsAt: ProjectFile['secretsAt'];
  readonly watch: string | undefined;
  readonly soak: string | undefined;
  readonly freeze: ProjectFile['freeze'];
  readonly promote: ProjectFile['promote'];
  readonly verification: ProjectFile['verification'];
  readonly evidence: ProjectFile['evidence'];
  readonly approvals: ProjectFile['approvals'];
  readonly breakGlass: ProjectFile['breakGlass'];
  readonly standby: number | undefined;
  readonly same: ProjectFile['same'];
  readonly registry: ProjectFile['registry'];
  readonly ssh: ProjectFile['ssh'];
  readonly network: ProjectFile['network'];
  readonly edge: NonNullable<EnvironmentFile['edge']>;
}

/**
 * Lays an environment's file over what is common, key by key; lists of secrets are joined, other lists replaced. A
 * role's variables come from these places, later ones winning: common, the environment, the common role, the
 * environment's role.
 */
export function mergeEnvironment(project: ProjectFile, environment: EnvironmentFile): Written {
  const env = textValues({ ...project.env, ...environment.env });
  const roles = mergeEach(project.roles, environment.roles, mergeRole);
  return {
    roles: mapValues(roles, (role) => ({ ...role, env: { ...env, ...textValues(role.env ?? {}) } })),
    accessories: mergeEach(project.accessories, environment.accessories, mergeAccessory),
    env,
    secrets: { ...project.secrets, ...environment.secrets },
    secretsAt: environment.secretsAt ?? project.secretsAt,
    watch: environment.watch ?? project.watch,
    soak: environment.soak ?? project.soak,
    freeze: environment.freeze ?? project.freeze,
    promote: environment.promote ?? project.promote,
    verification: environment.verification ?? project.verification,
    evidence: environment.evidence ?? project.evidence,
    approvals: environment.approvals ?? project.approvals,
    breakGlass: environment.breakGlass ?? project.breakGlass,
    standby: environment.standby ?? project.standby,
    same: environment.same ?? project.same,
    registry: { ...project.registry, ...environment.registry },
    ssh: { ...project.ssh, ...environment.ssh },
    network: environment.network ?? project.network,
    edge: mergeEdge(project.edge, environment.edge),
  };
}

function mergeEdge({ limits, trustedProxies }: Edge = {}, own: Edge = {}): Edge {
  return dropUndefined({
    limits: { ...limits, ...own.limits },
    trustedProxies: own.trustedProxies ?? trustedProxies,
  });
}

type Edge = NonNullable<EnvironmentFile['edge']>;

/** Returns variables as text: what YAML reads as a number or a boolean is meant as it is written. */
export function textValues(values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return mapValues(values, String);
}

/** Returns a record with each value changed. */
export function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value, key: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

function mergeEach<Item extends object>(
  common: Readonly<Record<string, Item>> = {},
  own: Readonly<Record<string, Item>> = {},
  merge: (common: Item, own: Item) => Item,
): Record<string, Item> {
  const merged: Record<string, Item> = { ...common };
  for (const [name, item] of Object.entries(own)) {
    const base = Object.hasOwn(common, name) ? common[name] : undefined;
    merged[name] = base === undefined ? item : merge(base, item);
  }
  return merged;
}

function mergeRole(common: RoleFile, own: RoleFile): RoleFile {
  return {
    ...common,
    ...own,
    env: { ...common.env, ...own.env },
    secrets: join(common.secrets, own.secrets),
    health: mergeHealth(common.health, own.health),
    ...mergeSurroundings(common, own),
    hardening: {
      ...common.hardening,
      ...own.hardening,
      tmpfs: { ...common.hardening?.tmpfs, ...own.hardening?.tmpfs },
    },
  };
}

type Surroundings = Pick<RoleFile, 'limits' | 'extraHosts' | 'dns'>;

/** Merges what a container is given of its host. What neither side has is no key, as containers are told apart by all that they have. */
function mergeSurroundings(common: Surroundings, own: Surroundings): Surroundings {
  const merged = <Value extends object>(a: Value | undefined, b: Value | undefined) =>
    a || b ? { ...a, ...b } : undefined;
  return {
    limits: {
      ...common.limits,
      ...own.limits,
      ...dropUndefined({ ulimits: merged(common.limits?.ulimits, own.limits?.ulimits) }),
    },
    ...dropUndefined({ extraHosts: merged(common.extraHosts, own.extraHosts), dns: merged(common.dns, own.dns) }),
  };
}

/** Merges health checks: another kind of check replaces the common one, whose timing stays. */
function mergeHealth(common: RoleFile['health'] = {}, own: RoleFile['health'] = {}): RoleFile['health'] {
  const { interval, healthy, timeout } = common;
  const kind = own.path !== undefined || own.command !== undefined || own.running !== undefined;
  return kind
    ? dropUndefined({
        interval,
        healthy,
        timeout,
        ...(own.path !== undefined ? { port: common.port, host: common.host } : {}),
        ...own,
      })
    : { ...common, ...own };
}

function mergeAccessory(common: AccessoryFile, own: AccessoryFile): AccessoryFile {
  return {
    ...common,
    ...own,
    env: { ...common.env, ...own.env },
    secrets: join(common.secrets, own.secrets),
    volumes: { ...common.volumes, ...own.volumes },
    ...mergeSurroundings(common, own),
    ...(common.health || own.health ? { health: { ...common.health, ...own.health } } : {}),
  };
}

function join(common: readonly string[] = [], own: readonly string[] = []): string[] {
  return [...new Set([...common, ...own])];
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
