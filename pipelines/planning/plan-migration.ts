import { roleContainers, type ContainerSpec, type SpecInputs } from '../model/container-spec.ts';
import type { DesiredState } from '../model/desired-state.ts';
import type { Environment, Migration, Role } from '../model/environment.ts';
import { fingerprint } from '../model/fingerprint.ts';
import { environmentNames } from '../model/names.ts';
import { refuseOtherMigrations } from '../policy/running-migrations.ts';
import type { RolloutInputs } from './rollout-inputs.ts';

/** The migration to record, and whether it runs. */
export interface MigrationPlan {
  readonly inputs: NonNullable<DesiredState['migration']>;
  readonly runs: boolean;
}

/**
 * Plans a release's migration: it runs once for an image and its migration's configuration. What ran last stays recorded
 * where none is configured. Throws LockageError while another one runs.
 */
export function planMigration(inputs: RolloutInputs): MigrationPlan | undefined {
  const { app, environment, record, reports } = inputs;
  const { migration } = environment;
  const [host] = environment.hosts;
  const once = migration && host && migrationRole(environment, migration, host.name);
  if (!once) return record.migration && { inputs: record.migration, runs: false };
  const [like] = roleContainers(inputs, once, host);
  if (!like) return undefined;
  const { route: _, name: __, alias: ___, host: ____, ...spec } = like;
  // Not by its host, or where it finds its secrets: on whichever one it ran, it ran.
  const { secretsAt: _____, ...content } = spec;
  const nameOf = (of: object) =>
    `${environmentNames(app, environment.name).migration}${fingerprint({ ...of, env: migration.env })}`;
  const name = nameOf(content);
  // Earlier versions named it by its time as well.
  const known = [name, nameOf({ ...content, health: { ...content.health, timeout: migration.timeout } })];
  if (record.migration && known.includes(record.migration.spec.name)) return { inputs: record.migration, runs: false };
  const running = reports.flatMap(({ migrations = [] }) => migrations);
  refuseOtherMigrations(environment.name, running, name);
  return {
    inputs: { host, spec: { ...spec, host: host.name, name, alias: name }, timeout: migration.timeout },
    runs: true,
  };
}

/**
 * Returns a container in which a release runs a command as it runs its migration, on the environment's first host. Throws
 * TypeError where it has no host or role.
 */
export function commandSpec(inputs: SpecInputs, name: string, command: readonly string[]): ContainerSpec {
  const { environment } = inputs;
  const [host] = environment.hosts;
  const migration = environment.migration ?? { command, secrets: [], env: {}, timeout: 0 };
  const once = host && migrationRole(environment, { ...migration, command }, host.name);
  const [spec] = once && host ? roleContainers(inputs, { ...once, name }, host) : [];
  if (!spec) throw new TypeError(`${environment.name} has no host or no role`);
  return spec;
}

/** Returns the role of a migration: the first one's, with a command, variables and secrets of its own. */
function migrationRole({ roles }: Environment, migration: Migration, host: string): Role | undefined {
  const [first] = roles;
  return (
    first && {
      ...first,
      name: 'migration',
      command: migration.command,
      count: 1,
      hosts: [host],
      env: migration.env,
      secrets: migration.secrets,
      // Its time is no part of what it is: with another one, the same one is waited for.
      health: { check: { kind: 'running', for: 0 }, interval: 0, healthy: 1, timeout: 0 },
    }
  );
}
