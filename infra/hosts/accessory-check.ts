import { posix } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import type { ContainerDetails, Engine, ImageDetails } from '../docker/api/client.ts';
import { isOwnedBy } from '../docker/labels.ts';
import type { AccessoryInputs } from '../resources/inputs.ts';
import { isNameless } from '../workloads/container/inventory.ts';
import { accessoryName } from '../workloads/foundation/accessory-container.ts';

/**
 * Checks that an accessory can become what it has to be, before anything of it is stopped. Throws LockageError when its name is
 * somebody else's, when its data would not be in the volume that is meant for it, or when its program would be another major
 * version, or an older one, over the data that it keeps: few read each other's data, and some spoil it.
 */
export async function checkAccessory(engine: Engine, accessory: AccessoryInputs): Promise<void> {
  const { app, host, image } = accessory;
  const container = accessoryName(accessory);
  const found = await engine.inspectContainer(container);
  if (found && !isOwnedBy(found.Config.Labels, accessory)) {
    throw new LockageError(`${host.name}: a container named ${container} exists and is not of ${app}`, {
      hint: `Rename or remove it on ${host.name}, then run the same command again.`,
    });
  }
  const next = await engine.inspectImage(image);
  if (!next) return;
  const declared = Object.keys(next.Config.Volumes ?? {});
  refuseNamelessData(accessory, declared, found?.Mounts ?? []);
  refuseLeftData(accessory, declared, found?.Mounts ?? []);
  if (found) await refuseOtherProgram(engine, accessory, found, next);
}

/**
 * Refuses an image that declares a volume below the one of the configuration: its data would be in that one, which
 * has no name. What runs in this way goes on with its data.
 */
function refuseNamelessData(
  { host, name, configured, volumes, ...place }: AccessoryInputs,
  declared: readonly string[],
  mounts: ContainerDetails['Mounts'],
): void {
  const there = mounts.filter(isNameless).map(({ Destination }) => Destination);
  const found = hiddenVolume(
    volumes,
    declared.filter((path) => !there.includes(path)),
  );
  if (!found) return;
  const key = found.volume.slice(accessoryName({ ...place, name }).length + 1);
  const what = `${configured} keeps data at ${found.path}, below volume ${key} (${volumes[found.volume]})`;
  throw new LockageError(`${host.name}: accessory ${name}: ${what}: it would be in a volume without a name`, {
    hint: `Write \`accessories.${name}.volumes.${key}: ${found.path}\`.`,
  });
}

/** Where the data is now, the next container would have a new and empty volume, which no configuration speaks of. */
function refuseLeftData(
  { host, name, volumes }: AccessoryInputs,
  declared: readonly string[],
  mounts: ContainerDetails['Mounts'],
): void {
  const places = declared.map(folderOf);
  const configured = Object.values(volumes).map(folderOf);
  const left = mounts.find(
    (mount) =>
      mount.Type === 'volume' &&
      !isNameless(mount) &&
      places.includes(folderOf(mount.Destination)) &&
      !configured.includes(folderOf(mount.Destination)),
  );
  if (!left) return;
  const what = `its data is at ${left.Destination}, in volume ${left.Name}`;
  throw new LockageError(`${host.name}: accessory ${name}: ${what}, and no volume is configured for that place`, {
    hint: `Configure one at ${left.Destination} under \`accessories.${name}.volumes\`; under another name, it begins without data.`,
  });
}

/** Returns the first place of a declared volume that is below a configured one, and none itself. */
export function hiddenVolume(
  volumes: Readonly<Record<string, string>>,
  declared: readonly string[],
): { readonly volume: string; readonly path: string } | undefined {
  const configured = Object.entries(volumes).map(([volume, path]) => ({ volume, path: folderOf(path) }));
  const places = declared.map(folderOf).filter((path) => !configured.some((other) => other.path === path));
  const found = places.flatMap((path) =>
    configured
      .filter((other) => path.startsWith(other.path))
      .map(({ volume }) => ({ volume, path: path.slice(0, -1) })),
  );
  return found[0];
}

/** Returns a path with a slash at its end, and no other that says nothing. */
function folderOf(path: string): string {
  return posix.normalize(`${path}/`);
}

async function refuseOtherProgram(
  engine: Engine,
  accessory: AccessoryInputs,
  found: ContainerDetails,
  next: ImageDetails,
): Promise<void> {
  const kept = keptData(accessory, found);
  const before = kept.length === 0 ? undefined : await engine.inspectImage(found.Image);
  const change = before && refusedChange(programOf(before), programOf(next));
  if (change === undefined) return;
  const { environment, host, name } = accessory;
  throw new LockageError(`${host.name}: accessory ${name} cannot go from ${change} over the data that it keeps`, {
    details: [`data: ${kept.join(', ')}`, `image: ${accessory.configured}`],
    hint:
      `Back it up with \`lockage accessory backup ${environment} ${name} FILE\`, give it a volume with another name and ` +
      'promote, then restore the file.',
  });
}

/** Returns what the next container gets of the data of the one before: volumes by name, or by place where they have none. */
function keptData({ volumes }: AccessoryInputs, { Mounts }: ContainerDetails): string[] {
  const places = new Set(Object.values(volumes));
  return Mounts.flatMap((mount) => {
    if (isNameless(mount)) return places.has(mount.Destination) ? [] : [mount.Destination];
    return mount.Name !== undefined && mount.Name in volumes ? [mount.Name] : [];
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
  const told = Object.entries(variables).flatMap(([name, program]) => {
    const text = env.get(name);
    return text === undefined ? [] : [{ program, version: versionIn(text) }];
  });
  // `MYSQL_MAJOR=innovation` is no number, and another variable has it.
  const [first] = [...told.filter(({ version }) => version.length > 0), ...told];
  if (first) return first;
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
