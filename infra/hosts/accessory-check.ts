import { LockageError } from '../../pipelines/errors.ts';
import type { Engine, ImageDetails } from '../docker/api/client.ts';
import { isOwnedBy } from '../docker/labels.ts';
import type { AccessoryInputs } from '../resources/inputs.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';

/**
 * Checks that an accessory can become what it has to be, before anything of it is stopped. Throws LockageError when its name is
 * somebody else's, or when its program would be another major version, or an older one, over the data that it keeps: few read
 * each other's data, and some spoil it.
 */
export async function checkAccessory(engine: Engine, accessory: AccessoryInputs): Promise<void> {
  const { app, environment, host, name, image } = accessory;
  const container = accessoryName(accessory);
  const found = await engine.inspectContainer(container);
  if (!found) return;
  if (!isOwnedBy(found.Config.Labels, accessory)) {
    throw new LockageError(`${host.name}: a container named ${container} exists and is not of ${app}`, {
      hint: `Rename or remove it on ${host.name}, then run the same command again.`,
    });
  }
  const kept = found.Mounts.map(({ Name = '' }) => Name).filter((volume) => volume in accessory.volumes);
  if (kept.length === 0) return;
  const [before, next] = await Promise.all([engine.inspectImage(found.Image), engine.inspectImage(image)]);
  const change = before && next ? refusedChange(programOf(before), programOf(next)) : undefined;
  if (change === undefined) return;
  throw new LockageError(`${host.name}: accessory ${name} cannot go from ${change} over the data that it keeps`, {
    details: [`data: ${kept.join(', ')}`, `image: ${accessory.configured}`],
    hint:
      `Back it up with \`lockage accessory backup ${environment} ${name} FILE\`, give its volume another name and ` +
      'promote, then restore the file.',
  });
}

/** A program that keeps data, and its version. */
export interface DataProgram {
  readonly program: string;
  /** numbers that have to be the same, then the others */
  readonly version: readonly number[];
}

/** Variables in which images tell the version of their program. */
const variables: Readonly<Record<string, string>> = {
  PG_MAJOR: 'PostgreSQL',
  PG_VERSION: 'PostgreSQL',
  MYSQL_MAJOR: 'MySQL',
  MYSQL_VERSION: 'MySQL',
  MARIADB_VERSION: 'MariaDB',
  MONGO_MAJOR: 'MongoDB',
  MONGO_VERSION: 'MongoDB',
  REDIS_VERSION: 'Redis',
  VALKEY_VERSION: 'Valkey',
};

/** Returns what an image says of its program; undefined where it says nothing. */
export function programOf({ Config }: Pick<ImageDetails, 'Config'>): DataProgram | undefined {
  const env = new Map((Config.Env ?? []).map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]));
  const variable = Object.keys(variables).find((name) => env.has(name));
  if (variable !== undefined)
    return { program: variables[variable] ?? '', version: versionIn(env.get(variable) ?? '') };
  // The version alone may be that of what it was made from.
  const { 'org.opencontainers.image.title': title, 'org.opencontainers.image.version': version } = Config.Labels ?? {};
  return title && version ? { program: title, version: versionIn(version) } : undefined;
}

function versionIn(text: string): number[] {
  // `1:10.11.6+maria~ubu2204` has an epoch of its package.
  return (/^(?:\d+:)?v?(\d+(?:\.\d+)*)/.exec(text)?.[1] ?? '').split('.').filter(Boolean).map(Number);
}

/** Returns `PostgreSQL 16 to 17` where that must not be done over the same data; undefined where it can be. */
export function refusedChange(before: DataProgram | undefined, next: DataProgram | undefined): string | undefined {
  if (!before || !next || before.version.length === 0 || next.version.length === 0) return undefined;
  const change = `${textOf(before)} to ${textOf(next)}`;
  if (before.program !== next.program || before.version[0] !== next.version[0]) return change;
  // Minor versions of PostgreSQL read each other's data.
  const isOlder = before.program !== 'PostgreSQL' && (next.version[1] ?? 0) < (before.version[1] ?? 0);
  return isOlder ? change : undefined;
}

function textOf({ program, version }: DataProgram): string {
  return `${program} ${version.join('.')}`;
}
