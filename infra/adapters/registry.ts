import { LockageError } from '../../pipelines/errors.ts';
import { isEmbedded } from '../../pipelines/model/embedded.ts';
import { shortDigest, type Release } from '../../pipelines/model/release.ts';
import type { Registry } from '../../pipelines/operations/ports/registry.ts';
import { parseReference, type RegistryClient } from '../registry/client.ts';
import { imageOf, imagesOf } from '../registry/images-of.ts';
import { copyRelease, type CopyDependencies } from './release-copies.ts';

/** The options of the registry as operations see it. */
export interface ReleaseRegistryOptions {
  /** of an image that was built for several */
  readonly platform?: string | undefined;
  /** of which a release has one image each */
  readonly platforms?: readonly string[] | undefined;
  /** absent: nothing is ever copied */
  readonly copies?: CopyDependencies;
}

/**
 * Returns the registry as promotions see it: it still has the release, under its tag, as it was made. Of an image
 * that was built for several platforms, a release is the one for `platform`, or those for `platforms`.
 */
export function releaseRegistry(
  client: RegistryClient,
  { platform, platforms, copies }: ReleaseRegistryOptions = {},
): Registry {
  return {
    verify: async (release) => {
      // The tag of an adopted image was never ours, so it may move.
      if (!release.adopted) {
        const digest = await client.tagDigest(release.repository, release.version);
        if (digest !== undefined && digest !== release.digest) {
          throw new LockageError(`tag ${release.version} was moved since the release was made`, {
            details: [
              `released as ${shortDigest(release.digest)}`,
              `${release.repository}:${release.version} is ${shortDigest(digest)} now`,
            ],
            hint: 'Find out who pushed to that tag. A release never changes: make a new version.',
          });
        }
      }
      if (!(await client.exists(release.repository, release.digest))) throw await goneError(client, release);
    },
    image: async (reference) => {
      const { repository, tag, digest: given } = parseReference(reference);
      const digest = given ?? (await client.resolve(repository, tag ?? 'latest'));
      if (platforms) return { repository, digest, ...(await imagesOf(client, repository, digest, platforms)) };
      return { repository, digest, ...(await imageOf(client, repository, digest, platform)) };
    },
    labels: ({ repository, digest }) => client.labels(repository, digest),
    tagged: (repository, version, mayBeNew) => client.tagDigest(repository, version, mayBeNew),
    copy: (release, repository) => {
      if (!copies) throw new Error('nothing is copied here');
      return copyRelease(client, copies, release, repository);
    },
  };
}

/** Each operator has an embedded registry of their own, and one of the team has no releases of theirs until they are copied. */
async function goneError(client: RegistryClient, release: Release): Promise<LockageError> {
  const { version, repository, digest, builder } = release;
  const details = [`${repository}@${digest}`, `made by ${builder}`];
  if (!isEmbedded(repository)) {
    return new LockageError(`release ${version} is gone from the registry`, {
      details: details.slice(0, 1),
      hint: 'Push that image again, or make a new version.',
    });
  }
  const place = await client.locate(repository);
  if (place.container === undefined) {
    return new LockageError(`release ${version} is not in ${place.repository}`, {
      details,
      hint: `Run \`lockage releases push --to ${place.repository}\` on the computer where it was made.`,
    });
  }
  return new LockageError(`release ${version} is not in the embedded registry of this computer`, {
    details,
    hint:
      'Each operator has one, for what is released there: two need a registry in common. Run `lockage releases push ' +
      '--to REPOSITORY` where it was made, and write `repository: REPOSITORY` in lockage.yaml.',
  });
}
