import { LockageError } from '../../pipelines/errors.ts';
import { isRoot, shortDigest, type Digest, type Release } from '../../pipelines/model/release.ts';
import type { ImageConfig, Manifest, RegistryClient } from './client.ts';

/** What a release records of its image besides the digest. */
type Recorded = Pick<Release, 'platform' | 'platforms' | 'user' | 'volumes' | 'startless'>;

type Images = Pick<RegistryClient, 'parts' | 'imageConfig'>;

/** Returns what a release records of an image; of an index, of the one for the platform. Throws LockageError. */
export async function imageOf(
  client: Images,
  repository: string,
  digest: Digest,
  platform: string | undefined,
): Promise<Recorded> {
  const config = await client.imageConfig(repository, digest, platform);
  return { platform: `${config.os}/${config.architecture}`, ...settingsOf([config]) };
}

/** Returns the same of an index with one for each of these platforms. Throws LockageError where one is missing. */
export async function imagesOf(
  client: Images,
  repository: string,
  digest: Digest,
  platforms: readonly string[],
): Promise<Recorded> {
  const found = await Promise.all(platforms.map((platform) => imageFor(client, repository, digest, platform)));
  return {
    platform: platforms[0] ?? '',
    platforms: Object.fromEntries(found.map(({ platform, manifest }) => [platform, manifest.digest])),
    ...settingsOf(found.map(({ config }) => config)),
  };
}

/** An image for a platform, as a registry has it. */
interface ImageFor {
  readonly platform: string;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

/** Returns an image, or the one of an index, for a platform. Throws LockageError where what is there is for another one. */
export async function imageFor(
  client: Images,
  repository: string,
  digest: Digest,
  platform: string,
): Promise<ImageFor> {
  const [{ manifest }, config] = await Promise.all([
    client.parts(repository, digest, platform),
    client.imageConfig(repository, digest, platform),
  ]);
  const is = `${config.os}/${config.architecture}`;
  if (platform === is || platform.startsWith(`${is}/`)) return { platform, manifest, config };
  throw new LockageError(`${repository}@${shortDigest(digest)} has no image for ${platform}`, {
    details: [`what it has there is for ${is}`],
    hint: 'Build it for all of `build.platforms`, or take those out of lockage.yaml that it is not for.',
  });
}

/** Returns the settings of images of one release: where they differ, what has to be looked after for any of them. */
function settingsOf(images: readonly ImageConfig[]): Pick<Recorded, 'user' | 'volumes' | 'startless'> {
  const users = images.map(({ user }) => user);
  const volumes = [...new Set(images.flatMap((each) => each.volumes))].sort();
  return {
    user: users.find(isRoot) ?? users[0] ?? '',
    ...(volumes.length > 0 ? { volumes } : {}),
    ...(images.every(({ starts }) => starts) ? {} : { startless: true as const }),
  };
}
