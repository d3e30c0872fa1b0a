import { LockageError } from '../../pipelines/errors.ts';
import { tagDrift, type Drift } from '../../pipelines/inspection/drift.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import { neededReleases } from '../../pipelines/planning/readiness.ts';
import type { CommandContext } from './open-context.ts';

/** What a registry has otherwise than it was released, or why it does not tell, which is no drift. */
export type RegistryDrift = { readonly drift: readonly Drift[] } | { readonly error: string };

/** Looks whether the tags of what serves, and of what can be gone back to, were moved. */
export async function movedTags(
  { registryClient }: Pick<CommandContext, 'registryClient'>,
  record: EnvironmentRecord,
): Promise<RegistryDrift> {
  const releases = neededReleases(record).filter(({ adopted }) => !adopted);
  try {
    const found = await Promise.all(
      releases.map(async (release) =>
        tagDrift(release, await registryClient.tagDigest(release.repository, release.version)),
      ),
    );
    return { drift: found.flat() };
  } catch (error) {
    if (error instanceof LockageError) return { error: error.message };
    throw error;
  }
}
