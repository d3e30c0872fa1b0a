import { LockageError } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { imageByDigest, type Release } from '../../pipelines/model/release.ts';
import { isSshHost, type EnvironmentHost, type SshHost } from '../../pipelines/model/target.ts';
import type { Session } from '../context/session.ts';
import type { Engine } from '../docker/api/client.ts';
import { EngineError } from '../docker/api/errors.ts';
import type { PullOptions, PullProgress } from '../docker/api/types.ts';
import type { Location, RegistryClient } from '../registry/client.ts';
import type { ImageArchive } from '../registry/bundle/bundle.ts';
import { passingNames, startPullProxy } from '../registry/pull-proxy.ts';
import { digestIn, digestTag, imageByTag } from '../registry/reference.ts';

type Image = Pick<Release, 'repository' | 'digest'>;

interface Dependencies {
  readonly session: Pick<Session, 'connections' | 'bundle' | 'signal'>;
  readonly registry: RegistryClient;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** Returns the name by which a host has an image; undefined when it does not have it. */
export async function localName(engine: Engine, image: Image): Promise<string | undefined> {
  for (const name of [imageByDigest(image), imageByTag(image)]) if (await engine.inspectImage(name)) return name;
  return undefined;
}

/**
 * Makes sure that a host has an image, and returns the bytes moved to it. An engine asks the registry even for an
 * image it has, and a rollback must not depend on that, so this pulls only missing ones. Throws LockageError.
 */
export async function ensureImage(
  dependencies: Dependencies,
  environment: Pick<Environment, 'registry' | 'emulates'>,
  host: EnvironmentHost,
  image: Image,
): Promise<number> {
  const engine = await dependencies.session.connections.engine(host);
  if (await localName(engine, image)) return 0;
  const bundled = await dependencies.session.bundle?.image(imageByDigest(image));
  if (bundled) return loadImage(engine, bundled, dependencies.session.signal);
  const place = await dependencies.registry.locate(image.repository);
  if (await heldFromElsewhere(engine, image, place)) return 0;
  // A leaving host may date from when the environment was reached in another way.
  const isOverSsh = environment.registry.through === 'ssh' || place.container !== undefined;
  return isOverSsh && isSshHost(host)
    ? pullOverSsh(dependencies, host, image)
    : pull(dependencies, engine, image, { ...place, emulates: environment.emulates });
}

/** Gives an image that a host has from where its repository lies today the name that is recorded; returns whether it has it. */
async function heldFromElsewhere(engine: Engine, image: Image, { repository }: Location): Promise<boolean> {
  if (repository === image.repository) return false;
  const held = await localName(engine, { repository, digest: image.digest });
  if (held === undefined) return false;
  await engine.tagImage(held, { repository: image.repository, tag: digestTag(image.digest) });
  return true;
}

async function pull(
  { session, registry, onProgress }: Dependencies,
  engine: Engine,
  image: Image,
  { repository, container, emulates }: Location & { readonly emulates: string | undefined },
): Promise<number> {
  if (container !== undefined && !(await engine.inspectContainer(container))) throw outOfReach(engine, image);
  const auth = container === undefined ? await registry.registryAuthHeader(image.repository) : undefined;
  const options = { ...(auth === undefined ? {} : { auth }), signal: session.signal, onProgress };
  const pulled = { repository, digest: image.digest };
  const { bytes } = await pullFor(engine, pulled, options, emulates);
  if (repository === image.repository) return bytes;
  if (container !== undefined) await giveName(engine, pulled, image);
  else await engine.tagImage(imageByDigest(pulled), { repository: image.repository, tag: digestTag(image.digest) });
  return bytes;
}

/** Pulls an image for the engine's own platform, or where there is none, for the one that it emulates. */
async function pullFor(
  engine: Engine,
  { repository, digest }: Image,
  options: PullOptions,
  emulates: string | undefined,
): Promise<{ readonly bytes: number }> {
  try {
    return await engine.pull(repository, digest, options);
  } catch (error) {
    const isOther = emulates !== undefined && error instanceof EngineError && /no match/.test(error.reason);
    if (!isOther) throw error;
    return engine.pull(repository, digest, { ...options, platform: emulates });
  }
}

/** Takes an image that was pulled from a port, which means nothing later, to the name that is recorded. */
async function giveName(engine: Engine, pulled: Image, { repository, digest }: Image): Promise<void> {
  await engine.tagImage(imageByDigest(pulled), { repository, tag: digestTag(digest) });
  // A name that stays is removed with the image, when nothing needs it any more.
  await engine.removeImage(imageByDigest(pulled)).catch(() => undefined);
}

/** Makes the error for a host whose engine is neither that of the embedded registry nor reached by ssh. */
function outOfReach({ host }: Engine, image: Image): LockageError {
  const why = 'its engine is another one than that of the registry, and is not reached by ssh';
  return new LockageError(`${host}: cannot pull from the embedded registry of this computer: ${why}`, {
    details: [imageByDigest(image)],
    hint:
      'Run `lockage releases push --to REPOSITORY` to copy all releases to a registry of your own, and write ' +
      '`repository: REPOSITORY` in lockage.yaml. Or reach the host by an ssh:// target.',
  });
}

/**
 * Gives an engine an image out of a file, and returns the bytes of the layers that were sent: those that it lacks. An engine that
 * keeps images as they come from registries gets all of it, as it does not know them by their unpacked content.
 */
async function loadImage(engine: Engine, archive: ImageArchive, signal: AbortSignal): Promise<number> {
  const { Driver, DriverStatus } = await engine.info();
  const keepsBlobs = JSON.stringify([Driver, DriverStatus]).includes('io.containerd.snapshotter');
  if (keepsBlobs) {
    await engine.loadImage(archive.name, () => archive.readLayout(), { signal });
    return archive.bytes(0);
  }
  const skipped = await layersThere(engine, archive.layers);
  await engine.loadImage(archive.name, () => archive.read(skipped), { signal });
  return archive.bytes(skipped);
}

/** Returns how many of an image's layers, from the lowest on, an engine has in the same order. */
async function layersThere(engine: Engine, layers: readonly string[]): Promise<number> {
  const images = await engine.namedImages();
  const there = images.map(async ({ id }) => {
    const found = (await engine.inspectImage(id))?.RootFS.Layers ?? [];
    const first = layers.findIndex((layer, index) => found[index] !== layer);
    return first < 0 ? layers.length : first;
  });
  return Math.max(0, ...(await Promise.all(there)));
}

/**
 * Pulls from a port of the host's loopback that leads to this process. The image's name then contains that port, which
 * means nothing later: it gets a tag of its repository instead.
 */
async function pullOverSsh(
  { session, registry, onProgress }: Dependencies,
  host: SshHost,
  image: Image,
): Promise<number> {
  const engine = await session.connections.engine(host);
  const proxy = startPullProxy(registry, image.repository);
  const forward = await session.connections.reverseForward(host, proxy.server);
  try {
    const passed = { repository: `127.0.0.1:${forward.port}/${proxy.name}`, digest: image.digest };
    const options = { auth: proxy.auth, signal: session.signal, onProgress };
    const { bytes } = await engine.pull(passed.repository, passed.digest, options);
    await giveName(engine, passed, image);
    return bytes;
  } catch (error) {
    throw error instanceof EngineError ? overSshError(image, error, proxy.failure()) : error;
  } finally {
    proxy.end();
    await forward.end();
  }
}

/**
 * Rewrites an engine's error in terms of the registry, as the engine knows only this process. Where the registry
 * failed too, both are reported: either may be why the pull ended.
 */
export function overSshError(image: Image, error: EngineError, failure: LockageError | undefined): EngineError {
  const repeats = failure !== undefined && error.reason.includes(failure.message);
  const reason = failure === undefined || repeats ? error.reason : `${failure.message} (the engine: ${error.reason})`;
  // The engine's hint is about the host's own path to the registry: wrong where it only repeats the registry's failure.
  const hint = repeats ? failure.hint : (error.hint ?? failure?.hint);
  const what = `pull ${imageByDigest(image)} over ssh`;
  return new EngineError(error.host, what, reason, { status: error.status, hint, cause: error });
}

/**
 * Removes a repository's images that have these digests. What a container uses stays, and what is nobody's here: another
 * app may have the same repository.
 */
export async function removeUnusedImages(
  engine: Engine,
  repository: string,
  unneeded: ReadonlySet<string>,
): Promise<void> {
  // Images have another name while they are pulled; after a killed command, some may still have it.
  const passing = passingNames(repository).map((name) => `127.0.0.1:*/${name}`);
  const lists = await Promise.all([repository, ...passing].map((each) => engine.listImages(each)));
  const others = lists.flat().filter((ref) => {
    const digest = digestIn(ref);
    return digest !== undefined && unneeded.has(digest);
  });
  await Promise.allSettled(others.map((ref) => engine.removeImage(ref)));
}
