import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { Target } from '../../pipelines/model/target.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import { bytesOf } from '../context/secret-bytes.ts';
import { EngineError, type ArchiveEntry, type ContainerBody, type Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import type { ContainerSummary } from '../docker/api/types.ts';
import { isOwnedBy, labels, ownerLabels } from '../docker/labels.ts';
import type { Place } from '../resources/inputs.ts';
import { withHeldImage } from './held-image.ts';
import { removeOwn } from './own-container.ts';
import { ownerIn, type Owner } from './secret-owner.ts';

/**
 * What holds secrets on a host carries one of these as its part: a volume for each container that has some, the container
 * that fills it, which never runs, and where they are in memory the one that keeps them there.
 */
export const secretParts = { release: 'release-secrets', accessory: 'accessory-secrets' } as const;

/** The volume with the secrets of one container, as it has to be. */
export interface SecretVolume extends Place {
  readonly host: Target;
  readonly volume: string;
  readonly part: (typeof secretParts)[keyof typeof secretParts];
  /** image of the container that reads them */
  readonly image: string;
  /** who reads them: `uid`, `uid:gid` or names that the image knows; absent: whom the image starts as */
  readonly user?: string;
  /** absent: on the host's disk */
  readonly at?: 'memory';
  /** secret name → short hash of its value */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Returns the name of the volume with a container's secrets: no container has a dot in its own name. */
export function secretVolumeName(container: string): string {
  return `${container}.secrets`;
}

/**
 * Makes the volume with a container's secrets, which only that container and root can read. Safe to repeat; a volume that
 * a container uses keeps what else is in it. Nothing of Lockage runs on the host for it: a container that never starts
 * has the volume mounted, and the engine unpacks an archive there. Throws LockageError, also when a value is not known.
 */
export async function fillSecretVolume(context: ProviderContext, wanted: SecretVolume): Promise<void> {
  const values = Object.entries(wanted.secrets).map(
    ([name, version]) => [name, bytesOf(context.secrets.get(name, version))] as const,
  );
  const engine = await context.engine(wanted.host);
  await makeVolume(engine, wanted, values);
  const filler = fillerOf(wanted.volume);
  await removeOwn(engine, wanted, filler);
  try {
    await createFiller(engine, wanted, filler);
    const owner = await ownerIn(engine, filler, wanted.user ?? (await userOf(engine, filler)), wanted.image);
    const mounting = wanted.at === 'memory' ? await startKeeper(engine, wanted) : filler;
    await engine.putArchive(mounting, mountParent, secretEntries(owner, values));
  } finally {
    await removeOwn(engine, wanted, filler);
  }
}

/** Removes a volume with secrets, and what filled and kept it. What is gone already is fine, and what is in use stays. */
export async function removeSecretVolume(engine: Engine, place: Place, volume: string): Promise<void> {
  await removeOwn(engine, place, fillerOf(volume));
  await removeOwn(engine, place, volume);
  await removeUnused(engine, volume);
}

/** Removes what is left of the secrets of release containers other than these, and of any filling that was killed. */
export async function removeOtherSecrets(engine: Engine, place: Place, kept: ReadonlySet<string>): Promise<void> {
  const own = { [labels.app]: place.app, [labels.environment]: place.environment };
  const keptVolumes = new Set([...kept].map(secretVolumeName));
  const containers = (await engine.listContainers({ all: true, labels: own })).filter((container) => {
    const part = container.Labels[labels.part];
    const name = containerName(container);
    return isSecretPart(part) && (isFiller(name) || (part === secretParts.release && !keptVolumes.has(name)));
  });
  for (const { Id } of containers) await engine.removeContainer(Id, { force: true });
  const volumes = await engine.listVolumes({ ...own, [labels.part]: secretParts.release });
  for (const { Name } of volumes) if (!keptVolumes.has(Name)) await removeUnused(engine, Name);
}

/** Returns whether something holds secrets, by its part. */
export function isSecretPart(part: string | undefined): boolean {
  return part === secretParts.release || part === secretParts.accessory;
}

/**
 * Returns the volumes whose secrets were in memory and are gone: what kept them there is still there, and does not run.
 * A host that was restarted has lost them.
 */
export function lostVolumes(containers: readonly ContainerSummary[]): ReadonlySet<string> {
  const lost = containers.filter(
    (container) =>
      isSecretPart(container.Labels[labels.part]) &&
      container.State !== 'running' &&
      !isFiller(containerName(container)),
  );
  return new Set(lost.map(containerName));
}

/** Returns the mount of a volume, into which nothing that an image has at that place is copied. */
export function volumeMount(volume: string, target: string): Record<string, unknown> {
  return { Type: 'volume', Source: volume, Target: target, VolumeOptions: { NoCopy: true } };
}

/** The folder in a host's memory where secrets were before they had volumes. */
export const formerFolder = '/run/lockage';

/** Returns whether a path is that of a container's secrets as they were before they had volumes. */
export function isFormerFolder(path: string): boolean {
  return path.startsWith(`${formerFolder}/`);
}

const mountParent = '/lockage';
const folder = 'secrets';

/**
 * Returns the files as an archive. The folder is the volume itself: it is in the archive, so that it gets its owner
 * and mode as well.
 */
export function secretEntries(owner: Owner, values: readonly (readonly [string, Buffer])[]): ArchiveEntry[] {
  return [
    { path: folder, type: 'directory', mode: 0o500, ...owner },
    ...values.map(([name, content]) => ({ path: `${folder}/${name}`, mode: 0o400, content, ...owner })),
  ];
}

function fillerOf(volume: string): string {
  return `${volume}.filler`;
}

function isFiller(name: string): boolean {
  return name.endsWith('.filler');
}

/** Makes the volume. One that a container uses stays: what is in it is overwritten. */
async function makeVolume(
  engine: Engine,
  wanted: SecretVolume,
  values: readonly (readonly [string, Buffer])[],
): Promise<void> {
  const found = await engine.inspectVolume(wanted.volume);
  if (found && !isOwnedBy(found.Labels, wanted)) {
    throw new LockageError(`${engine.host}: a volume named ${wanted.volume} exists and is not of ${wanted.app}`, {
      hint: `Remove it on ${engine.host}, then run the same command again.`,
    });
  }
  if (found) await removeUnused(engine, wanted.volume);
  await engine.createVolume(wanted.volume, {
    Labels: ownerLabels(wanted.app, wanted.environment, wanted.part),
    ...(wanted.at === 'memory' ? { DriverOpts: inMemory(values) } : {}),
  });
}

/**
 * Returns the options of a volume in memory, with room for other values: an accessory keeps its volume when they
 * change.
 */
function inMemory(values: readonly (readonly [string, Buffer])[]) {
  const bytes = values.reduce((sum, [, value]) => sum + value.length, 0);
  return { type: 'tmpfs', device: 'tmpfs', o: `size=${Math.max(1, Math.ceil((2 * bytes) / 2 ** 20))}m,mode=0700` };
}

async function removeUnused(engine: Engine, volume: string): Promise<void> {
  try {
    await engine.removeVolume(volume);
  } catch (error) {
    if (!(error instanceof EngineError) || error.status !== 409) throw error;
  }
}

/**
 * Creates the container that fills it, of the image of the container that reads: its accounts are what a user's name
 * means.
 */
async function createFiller(engine: Engine, wanted: SecretVolume, name: string): Promise<void> {
  await withHeldImage(engine, wanted.image, (image) => engine.createContainer(name, helperBody(wanted, image)));
}

function helperBody(wanted: SecretVolume, image: string): ContainerBody {
  return {
    Image: image,
    Entrypoint: ['sh', '-c', 'while :; do sleep 86400; done'],
    Cmd: [],
    Healthcheck: { Test: ['NONE'] },
    Labels: ownerLabels(wanted.app, wanted.environment, wanted.part),
    HostConfig: {
      NetworkMode: 'none',
      Init: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: 16 * 2 ** 20,
      PidsLimit: 16,
      Mounts: [volumeMount(wanted.volume, `${mountParent}/${folder}`)] as never,
    },
  };
}

async function userOf(engine: Engine, container: string): Promise<string> {
  return (await engine.inspectContainer(container))?.Config.User ?? '';
}

/**
 * Starts the container that keeps a volume in memory: it is there only while a container that runs has it mounted,
 * which the one that reads it may not at times. This one always does. It has a shell for that, of the edge's image,
 * and the rights to read nothing.
 */
async function startKeeper(engine: Engine, wanted: SecretVolume): Promise<string> {
  const name = wanted.volume;
  if ((await engine.inspectContainer(name))?.State.Running) return name;
  await removeOwn(engine, wanted, name);
  const body = { ...helperBody(wanted, await edgeImage(engine, wanted)), User: '65534:65534' };
  await engine.createContainer(name, body);
  await engine.startContainer(name);
  return name;
}

/** Returns the edge's image. The edge is made at the same time as an accessory. */
async function edgeImage(engine: Engine, { app, environment }: Place): Promise<string> {
  const { edge } = environmentNames(app, environment);
  for (const end = performance.now() + 60_000; ;) {
    const found = await engine.inspectContainer(edge);
    if (found) return found.Image;
    if (performance.now() > end) throw new LockageError(`${engine.host}: the edge proxy ${edge} was not made`);
    await sleep(200);
  }
}
