import { repositoryProblem } from '../config/schema/files.ts';
import { LockageError, PartialError } from '../errors.ts';
import { isEmbedded } from '../model/embedded.ts';
import { shortDigest, type Digest, type Release } from '../model/release.ts';
import { knownReleases } from '../policy/retention.ts';
import type { Context } from './ports.ts';
import type { CopiedImage } from './ports/registry.ts';
import { releaseGraph } from './steps/release-graph.ts';

/** The repository that all releases are to be copied to. */
export interface PushReleasesRequest {
  /** `registry.example.com/shop` */
  readonly to: string;
}

/** The outcome of copying all releases. */
export interface PushReleasesResult {
  readonly to: string;
  /** in the order in which they were made */
  readonly releases: readonly PushedRelease[];
  /** bytes that were sent */
  readonly bytes: number;
  /** what is worth knowing besides */
  readonly notes: readonly string[];
}

/** A release, and what became of its image. */
export interface PushedRelease extends CopiedImage {
  readonly version: string;
  readonly digest: Digest;
}

/**
 * Copies the images of all releases that lie in this computer's embedded registry to a repository, by their digests. To be
 * repeated after an interruption: what is there is not sent again. Throws LockageError, and before anything is sent when a
 * version is something else there; PartialError where releases of other operators are not here.
 */
export async function pushReleases(context: Context, { to }: PushReleasesRequest): Promise<PushReleasesResult> {
  const problem = repositoryProblem(to);
  if (problem !== undefined) {
    throw new LockageError(`${JSON.stringify(to)} is no repository to push to: ${problem}`, {
      hint: 'For example, `lockage releases push --to registry.example.com/shop`.',
    });
  }
  context.terminal.step('resolve', to);
  const distinct = firstOfEach(knownReleases(await releaseGraph(context)));
  const embedded = distinct.filter(({ repository }) => isEmbedded(repository));
  await refuseOthers(context, embedded, to);
  const releases: PushedRelease[] = [];
  for (const release of embedded) {
    context.signal.throwIfAborted();
    context.terminal.step('push', `${release.version} ${shortDigest(release.digest)}`);
    const { version, digest } = release;
    releases.push({ version, digest, ...(await context.registry.copy(release, to)) });
  }
  refuseMissing(context, embedded, releases, to);
  const elsewhere = distinct.filter(({ repository }) => !isEmbedded(repository) && repository !== to);
  const bytes = releases.reduce((sum, each) => sum + each.bytes, 0);
  return { to, releases, bytes, notes: [...notesOn(releases), ...elsewhere.map(staysElsewhere)] };
}

/** Returns each version once, as it was released: a revision may have it from where it was copied to before. */
function firstOfEach(releases: readonly Release[]): Release[] {
  const first = new Map<string, Release>();
  for (const release of releases) if (!first.has(release.version)) first.set(release.version, release);
  return [...first.values()];
}

/** Refuses a repository in which a version is another image. */
async function refuseOthers({ registry }: Context, releases: readonly Release[], to: string): Promise<void> {
  const taken: string[] = [];
  for (const { version, digest } of releases) {
    const found = await registry.tagged(to, version, true);
    if (found !== undefined && found !== digest)
      taken.push(`${version} was released as ${shortDigest(digest)}, and is ${shortDigest(found)} there`);
  }
  if (taken.length === 0) return;
  throw new LockageError(`${to} has other images under versions of these releases`, {
    details: taken,
    hint: 'A release never changes: choose a repository of its own for this application.',
  });
}

/** Each operator’s embedded registry has what was released there. What this operator released and is gone was pruned. */
function refuseMissing(
  { actor }: Context,
  recorded: readonly Release[],
  pushed: readonly PushedRelease[],
  to: string,
): void {
  const absent = new Set(pushed.filter(({ outcome }) => outcome === 'absent').map(({ digest }) => digest));
  const foreign = recorded.filter(({ digest, builder }) => absent.has(digest) && builder !== actor);
  if (foreign.length === 0) return;
  throw new PartialError(`${foreign.length} of ${recorded.length} releases are not in this computer's registry`, {
    details: foreign.map(({ version, builder }) => `${version} was made by ${builder}`),
    hint: `The others are in ${to}. Run \`lockage releases push --to ${to}\` on the computers of those who made these.`,
  });
}

function notesOn(releases: readonly PushedRelease[]): string[] {
  return releases
    .filter(({ outcome }) => outcome === 'absent')
    .map(
      ({ version }) => `${version} is no more in the registry of this computer: it was pruned, and cannot be promoted`,
    );
}

function staysElsewhere({ version, repository }: Release): string {
  return `${version} stays in ${repository}`;
}
