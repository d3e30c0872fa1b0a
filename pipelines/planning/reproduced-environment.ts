import { secretsPath, surroundingsOf, type ContainerSpec } from '../model/container-spec.ts';
import type { Accessory, Environment, Migration, Role } from '../model/environment.ts';
import { own } from '../model/own.ts';
import type { SecretSource } from '../model/secret-source.ts';
import { secretsOf } from '../model/recorded-revision.ts';
import type { Reproduction } from '../model/reproduction.ts';
import { untilOf } from './environment-time.ts';
import { withData } from './reproduced-data.ts';

/** How long a reproduction is watched after it serves, ms: nobody has visited it yet. */
const watch = 1000;

/** The folder of a reproduction's secrets, one file each, in that of its record. */
export const secretsFolder = 'secrets';

/**
 * Returns a reproduction as an environment: the roles, accessories and edge of the recorded revision on one host, as if they were
 * configured so. Nothing of what is configured today is in it.
 */
export function reproducedEnvironment(reproduction: Reproduction): Environment {
  const { name, of, host, emulates, time } = reproduction;
  const { migration, edge } = of;
  const { image: _, ...settings } = edge;
  return {
    name,
    after: [],
    hosts: [host],
    roles: rolesOf(reproduction),
    accessories: of.accessories.map((accessory): Accessory =>
      withData({ ...accessory, host: host.name }, own(reproduction.data, accessory.name)),
    ),
    ...(migration ? { migration: withoutVersion(migration) } : {}),
    secrets: sourcesOf(reproduction),
    ...(of.containers.some(({ secretsAt }) => secretsAt === 'memory') ? { secretsAt: 'memory' as const } : {}),
    watch,
    standby: 1,
    same: [],
    registry: { through: host.endpoint.kind === 'ssh' ? 'ssh' : 'network' },
    ...(Object.keys(settings).length > 0 ? { edge: settings } : {}),
    reproduces: { environment: of.environment, revision: of.number, ...(time ? { until: untilOf(time) } : {}) },
    ...(emulates === undefined ? {} : { emulates }),
  };
}

function rolesOf({ of: { containers }, host, ports, counts }: Reproduction): Role[] {
  const first = new Map<string, ContainerSpec>();
  for (const spec of containers) if (!first.has(spec.role)) first.set(spec.role, spec);
  return [...first.values()].map((spec): Role => {
    const { role, command, route, health, limits, hardening, init, log, stopGrace, replace } = spec;
    return {
      name: role,
      ...(command ? { command } : {}),
      count: own(counts, role) ?? 1,
      hosts: [host.name],
      env: ownVariables(spec),
      secrets: Object.keys(spec.secrets),
      ...(route ? { route: { ...route, publish: ports[route.publish] ?? route.publish } } : {}),
      ...{ health, limits, hardening, stopGrace },
      ...(replace ? { replace } : {}),
      ...(init === undefined ? {} : { init }),
      ...surroundingsOf(spec),
      ...(log ? { log } : {}),
    };
  });
}

/**
 * Returns the variables of a container that follow from neither its secrets nor its place. Those that lead to accessories stay:
 * their names are the same in every environment.
 */
export function ownVariables({ env, secrets }: Pick<ContainerSpec, 'env' | 'secrets'>): Record<string, string> {
  const placed = new Set(['LOCKAGE_ENVIRONMENT', 'LOCKAGE_VERSION', 'LOCKAGE_HOST']);
  const files = new Map(Object.keys(secrets).map((name) => [`${name}_FILE`, `${secretsPath}/${name}`]));
  return Object.fromEntries(Object.entries(env).filter(([key, value]) => !placed.has(key) && files.get(key) !== value));
}

function withoutVersion({ version: _, ...migration }: Migration & { readonly version: string }): Migration {
  return migration;
}

function sourcesOf({ of }: Reproduction): Record<string, SecretSource> {
  return Object.fromEntries(secretsOf(of).map((name) => [name, { file: `${secretsFolder}/${name}` }]));
}
