import { LockageError } from '../errors.ts';
import { shortDigest, type Release } from '../model/release.ts';
import { alreadyReleased, nextVersion } from '../model/releases.ts';
import type { Bump } from '../model/version.ts';
import type { Context } from './ports.ts';

/** What is to be released. */
export interface ReleaseRequest {
  readonly version?: string;
  /** the part of the latest version to raise, where none is given */
  readonly bump?: Bump;
  /** an image that was built elsewhere; absent: it is built from the source tree */
  readonly image?: string;
  /** build although there are changes that are not committed */
  readonly allowDirty?: boolean;
}

/** How it ended. */
export interface ReleaseResult {
  readonly outcome: 'released' | 'unchanged';
  readonly release: Release;
}

/** Makes a release: builds and pushes its image, or adopts one, and records its digest. Throws LockageError. */
export async function release(context: Context, request: ReleaseRequest): Promise<ReleaseResult> {
  const releases = await context.records.releases();
  const version = nextVersion(releases, request.version, request.bump);
  const made = request.image
    ? await adopt(context, releases, version, request.image)
    : await build(context, releases, version, request.allowDirty ?? false);
  if (made.outcome === 'released') await context.records.saveReleases([...releases, made.release]);
  return made;
}

async function build(
  context: Context,
  releases: readonly Release[],
  version: string,
  allowDirty: boolean,
): Promise<ReleaseResult> {
  const tree = await context.builder.tree();
  if (tree.changes.length > 0 && !allowDirty) throw uncommitted(tree.changes);
  const found = alreadyReleased(releases, { version, commit: tree.commit });
  if (found) return { outcome: 'unchanged', release: found };
  await refuseForeignTag(context, version);
  const createdAt = new Date(context.now()).toISOString();
  const image = await context.builder.build(version, tree);
  const made: Release = {
    ...{ version, ...image, commit: tree.commit, builder: context.actor, createdAt },
    ...(tree.changes.length > 0 ? { dirty: true } : {}),
  };
  return { outcome: 'released', release: made };
}

function uncommitted(changes: readonly string[]): LockageError {
  return new LockageError('there are uncommitted changes', {
    details: changes.slice(0, 10),
    hint: 'Commit them, so that the release says what it was made of; or say --allow-dirty, which is recorded.',
  });
}

/** A tag that nobody recorded here is somebody's: pushing over it would change what others believe to run. */
async function refuseForeignTag({ project, registry }: Context, version: string): Promise<void> {
  const { repository } = project;
  const digest = await registry.tagged(repository, version);
  if (digest === undefined) return;
  throw new LockageError(`${repository}:${version} exists in the registry and is not a recorded release`, {
    details: [`it is ${shortDigest(digest)}`],
    hint: `Adopt it with \`lockage release ${version} --image ${repository}:${version}\`, or take another version.`,
  });
}

async function adopt(
  context: Context,
  releases: readonly Release[],
  version: string,
  reference: string,
): Promise<ReleaseResult> {
  context.terminal.step('resolve', reference);
  const image = await context.registry.image(reference);
  const found = alreadyReleased(releases, { version, digest: image.digest });
  if (found) return { outcome: 'unchanged', release: found };
  const createdAt = new Date(context.now()).toISOString();
  return { outcome: 'released', release: { version, ...image, builder: context.actor, createdAt, adopted: true } };
}
