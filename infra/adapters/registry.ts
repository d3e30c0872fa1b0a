import { LockageError } from '../../pipelines/errors.ts';
import { shortDigest } from '../../pipelines/model/release.ts';
import type { Registry } from '../../pipelines/operations/ports.ts';
import { parseReference, type RegistryClient } from '../registry/client.ts';

/**
 * Returns the registry as promotions see it: it still has the release, under its tag, as it was made. Of an image
 * that was built for several platforms, a release is the one for `platform`.
 */
export function releaseRegistry(client: RegistryClient, platform?: string): Registry {
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
      if (!(await client.exists(release.repository, release.digest))) {
        throw new LockageError(`release ${release.version} is gone from the registry`, {
          details: [`${release.repository}@${release.digest}`],
          hint: 'Push that image again, or make a new version.',
        });
      }
    },
    image: async (reference) => {
      const { repository, tag, digest: given } = parseReference(reference);
      const digest = given ?? (await client.resolve(repository, tag ?? 'latest'));
      const { os, architecture, user } = await client.imageConfig(repository, digest, platform);
      return { repository, digest, platform: `${os}/${architecture}`, user };
    },
    labels: ({ repository, digest }) => client.labels(repository, digest),
    tagged: (repository, version, mayBeNew) => client.tagDigest(repository, version, mayBeNew),
  };
}
