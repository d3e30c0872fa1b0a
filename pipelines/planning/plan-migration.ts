import type { Environment, Role } from '../model/environment.ts';
import type { Release } from '../model/release.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import { roleContainers } from '../model/container-spec.ts';
import { environmentNames } from '../model/names.ts';
import { fingerprint } from '../model/fingerprint.ts';

/** The migration as it shall be recorded, and whether it runs: once for an image and its migration's configuration. */
export function migrationOf(
  app: string,
  environment: Environment,
  release: Release,
  versions: Record<string, string>,
  record: EnvironmentRecord,
) {
  const { migration } = environment;
  const [host] = environment.hosts;
  const [role] = environment.roles;
  if (!migration || !host || !role) return record.migration ? { inputs: record.migration, runs: false } : undefined;
  const once: Role = {
    ...role,
    name: 'migration',
    command: migration.command,
    count: 1,
    hosts: [host.name],
    env: migration.env,
    secrets: migration.secrets,
    health: { check: { kind: 'running', for: 0 }, interval: 0, healthy: 1, timeout: migration.timeout },
  };
  const [like] = roleContainers(app, environment, once, host, release, versions);
  if (!like) return undefined;
  const { route: _, name: __, alias: ___, host: ____, ...spec } = like;
  // Not by its host: on whichever one it ran, it ran.
  const name = `${environmentNames(app, environment.name).network}-migration-${fingerprint({ ...spec, env: migration.env })}`;
  if (record.migration?.spec.name === name) return { inputs: record.migration, runs: false };
  const inputs = { host, spec: { ...spec, host: host.name, name, alias: name }, timeout: migration.timeout };
  return { inputs, runs: true };
}
