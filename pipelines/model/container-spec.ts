import {
  placesOf,
  type Accessory,
  type Environment,
  type Health,
  type Log,
  type Role,
  type Surroundings,
} from './environment.ts';
import { fingerprint } from './fingerprint.ts';
import { imageByDigest, type Release } from './release.ts';
import { schedulesReplicas, type EnvironmentHost, type Target } from './target.ts';

/** The folder of the secrets inside a container, as with Docker secrets and Compose. */
export const secretsPath = '/run/secrets';

/**
 * A release container as it will run on one host, or a service as it will run on a swarm, resolved to the last field. Its
 * name follows from its content.
 */
export interface ContainerSpec extends Surroundings {
  /** `shop-prod-web-3f9a1c20-1`: any difference below gives another name */
  readonly name: string;
  /** name on the network, shared by all containers of the role on that host or swarm: `shop-prod-web-3f9a1c20` */
  readonly alias: string;
  readonly host: string;
  readonly role: string;
  readonly image: string;
  readonly version: string;
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** accessory on another host → where that is found: host name or address; absent: there is none */
  readonly neighbours?: Readonly<Record<string, string>>;
  /** secret name → short hash of its value */
  readonly secrets: Readonly<Record<string, string>>;
  /** absent: on the host's disk, or it has none */
  readonly secretsAt?: 'memory';
  readonly route?: { readonly publish: number; readonly port: number };
  readonly health: Health;
  readonly limits: Role['limits'];
  readonly hardening: Role['hardening'];
  /** absent: Docker's init is its process 1 */
  readonly init?: false;
  readonly log?: Log;
  readonly stopGrace: number;
  /** see `Role` */
  readonly replace?: 'stop-first';
  /** it is a service on a swarm, with this many containers */
  readonly replicas?: number;
}

/** Everything that the containers of a release in an environment follow from. */
export interface SpecInputs {
  readonly app: string;
  readonly environment: Environment;
  readonly release: Release;
  /** secret name → short hash of its value */
  readonly versions: Readonly<Record<string, string>>;
  /** distinguishes a repeated attempt from the first, 0 */
  readonly attempt?: number;
}

/**
 * Returns the containers of a release in an environment, in the order of hosts, roles and numbers; a swarm has one
 * service for each role.
 */
export function containerSpecs(inputs: SpecInputs): ContainerSpec[] {
  const { environment } = inputs;
  return placesOf(environment).flatMap((host) =>
    environment.roles
      .filter((role) => role.hosts.includes(host.name))
      .flatMap((role) => roleContainers(inputs, role, host)),
  );
}

/** Returns the containers of one role on a host, or its one service on a swarm. */
export function roleContainers(
  { app, environment, release, versions, attempt = 0 }: SpecInputs,
  role: Role,
  host: Target,
): ContainerSpec[] {
  const secrets = Object.fromEntries(role.secrets.map((name) => [name, versions[name] ?? '']));
  // A swarm keeps secrets itself.
  const inMemory = environment.secretsAt === 'memory' && role.secrets.length > 0 && !schedulesReplicas(host);
  const neighbours = neighboursOf(environment, host.name);
  const content = {
    host: host.name,
    role: role.name,
    image: imageByDigest(release),
    version: release.version,
    ...(role.command ? { command: role.command } : {}),
    env: {
      ...accessoryAddresses(environment),
      ...role.env,
      ...Object.fromEntries(role.secrets.map((name) => [`${name}_FILE`, `${secretsPath}/${name}`])),
      LOCKAGE_ENVIRONMENT: environment.name,
      LOCKAGE_VERSION: release.version,
      LOCKAGE_HOST: host.name,
    },
    ...(Object.keys(neighbours).length > 0 ? { neighbours } : {}),
    secrets,
    ...(inMemory ? { secretsAt: 'memory' as const } : {}),
    ...(role.route ? { route: role.route } : {}),
    health: role.health,
    limits: role.limits,
    hardening: role.hardening,
    ...(role.init === undefined ? {} : { init: role.init }),
    ...(role.log ? { log: role.log } : {}),
    ...surroundingsOf(role),
    stopGrace: role.stopGrace,
    ...(role.replace ? { replace: role.replace } : {}),
    ...(schedulesReplicas(host) ? { replicas: role.count } : {}),
  };
  // With the count: one more container under an alias that serves would get traffic before it is verified.
  const alias = `${app}-${environment.name}-${role.name}-${fingerprint({ ...content, count: role.count, attempt })}`;
  if (schedulesReplicas(host)) return [{ name: alias, alias, ...content }];
  return Array.from({ length: role.count }, (_, index) => ({ name: `${alias}-${index + 1}`, alias, ...content }));
}

/**
 * Returns whether a container rests while it is kept to go back to: it would work beside what serves. One with traffic runs
 * on and gets none, unless two of its role at once are wrong.
 */
export function restsAsStandby({ route, replace }: Pick<ContainerSpec, 'route' | 'replace'>): boolean {
  return route === undefined || replace === 'stop-first';
}

/** Returns what is said of a container's network and its end, and nothing where nothing is. */
export function surroundingsOf({ extraHosts, dns, stopSignal }: Surroundings): Surroundings {
  return {
    ...(extraHosts ? { extraHosts } : {}),
    ...(dns ? { dns } : {}),
    ...(stopSignal === undefined ? {} : { stopSignal }),
  };
}

/** Returns `DB_HOST` and `DB_PORT` for an accessory `db`. Its name leads to it from every host, in every environment. */
export function accessoryAddresses({ accessories }: Pick<Environment, 'accessories'>): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { name, port } of accessories) {
    if (port === undefined) continue;
    const prefix = name.toUpperCase().replaceAll('-', '_');
    variables[`${prefix}_HOST`] = name;
    variables[`${prefix}_PORT`] = String(port);
  }
  return variables;
}

/**
 * Returns the accessories on other hosts than one, and where these are found. On its own host an accessory is found on the
 * network, as on a swarm, whose nodes share one.
 */
export function neighboursOf(
  { accessories, hosts, orchestrator }: Pick<Environment, 'accessories' | 'hosts' | 'orchestrator'>,
  host: string,
): Record<string, string> {
  const others = accessories.filter((accessory) => accessory.port !== undefined && accessory.host !== host);
  return Object.fromEntries(
    (orchestrator ? [] : others).map((accessory) => {
      const home = hosts.find(({ name }) => name === accessory.host);
      return [accessory.name, publishAddress(accessory, home)];
    }),
  );
}

/** Returns where other hosts find an accessory: host name or address. */
export function publishAddress(
  { expose, host }: Accessory,
  home: Pick<EnvironmentHost, 'address'> | undefined,
): string {
  return typeof expose === 'string' ? expose : (home?.address ?? host);
}
