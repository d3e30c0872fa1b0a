import { placesOf, type Environment, type Health, type Log, type Role } from './environment.ts';
import { fingerprint } from './fingerprint.ts';
import { imageByDigest, type Release } from './release.ts';
import { schedulesReplicas, type Target } from './target.ts';

/** The folder of the secrets inside a container, as with Docker secrets and Compose. */
export const secretsPath = '/run/secrets';

/**
 * A release container as it will run on one host, or a service as it will run on a swarm, resolved to the last field. Its
 * name follows from its content.
 */
export interface ContainerSpec {
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
  const content = {
    host: host.name,
    role: role.name,
    image: imageByDigest(release),
    version: release.version,
    ...(role.command ? { command: role.command } : {}),
    env: {
      ...accessoryAddresses(environment, host),
      ...role.env,
      ...Object.fromEntries(role.secrets.map((name) => [`${name}_FILE`, `${secretsPath}/${name}`])),
      LOCKAGE_ENVIRONMENT: environment.name,
      LOCKAGE_VERSION: release.version,
      LOCKAGE_HOST: host.name,
    },
    secrets,
    ...(inMemory ? { secretsAt: 'memory' as const } : {}),
    ...(role.route ? { route: role.route } : {}),
    health: role.health,
    limits: role.limits,
    hardening: role.hardening,
    ...(role.init === undefined ? {} : { init: role.init }),
    ...(role.log ? { log: role.log } : {}),
    stopGrace: role.stopGrace,
    ...(schedulesReplicas(host) ? { replicas: role.count } : {}),
  };
  // With the count: one more container under an alias that serves would get traffic before it is verified.
  const alias = `${app}-${environment.name}-${role.name}-${fingerprint({ ...content, count: role.count, attempt })}`;
  if (schedulesReplicas(host)) return [{ name: alias, alias, ...content }];
  return Array.from({ length: role.count }, (_, index) => ({ name: `${alias}-${index + 1}`, alias, ...content }));
}

/**
 * Returns `DB_HOST` and `DB_PORT` for an accessory `db`: by name on its own host and on a swarm, whose network all
 * nodes share; by the host's address from other hosts.
 */
export function accessoryAddresses(environment: Environment, host: Target): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const accessory of environment.accessories) {
    if (accessory.port === undefined) continue;
    const prefix = accessory.name.toUpperCase().replaceAll('-', '_');
    const home = environment.hosts.find((candidate) => candidate.name === accessory.host);
    const byName = environment.orchestrator !== undefined || accessory.host === host.name;
    variables[`${prefix}_HOST`] = byName ? accessory.name : (home?.address ?? accessory.host);
    variables[`${prefix}_PORT`] = String(accessory.port);
  }
  return variables;
}
