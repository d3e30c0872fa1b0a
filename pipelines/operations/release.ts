import { LockageError, messageOf } from '../errors.ts';
import { builderOf, buildLabels } from '../model/build-labels.ts';
import type { Project } from '../model/environment.ts';
import { shortDigest, type Digest, type Release } from '../model/release.ts';
import { alreadyReleased, nextVersion } from '../model/releases.ts';
import type { Bump } from '../model/version.ts';
import type { ReleasedImage } from './ports/builder.ts';
import type { Context } from './ports.ts';
import { signRelease, withSequence } from './steps/sign-release.ts';

/** The version and source of a release to make. */
export interface ReleaseRequest {
  readonly version?: string;
  /** the part of the latest version to raise, where none is given */
  readonly bump?: Bump;
  /** an image that was built elsewhere; absent: it is built from the source tree */
  readonly image?: string;
  /** build although there are changes that are not committed */
  readonly allowDirty?: boolean;
  /** in place of what is configured */
  readonly schema?: number;
  readonly compatible?: number;
}

/** The outcome of a release. */
export interface ReleaseResult {
  readonly outcome: 'released' | 'unchanged';
  readonly release: Release;
}

/** Makes a release: builds and pushes its image, or adopts one, and records its digest. Throws LockageError. */
export async function release(context: Context, request: ReleaseRequest): Promise<ReleaseResult> {
  const releases = await context.records.releases();
  const version = nextVersion(releases, request.version, request.bump);
  const declared = declaredSchema(context.project, request);
  // Who is to sign is found before anything is built.
  const signer = await context.evidence.signer();
  const made = request.image
    ? await adopt(context, releases, version, request.image)
    : await build(context, version, request.allowDirty ?? false);
  if (made.outcome === 'unchanged') {
    if (signer) await signRelease(context, made.release, signer);
    return made;
  }
  const whole = { ...made.release, ...declared };
  const counted = signer ? withSequence(whole, await context.records.releases()) : whole;
  const recorded = await record(context, counted);
  if (signer) await signRelease(context, recorded, signer);
  return { ...made, release: recorded };
}

/** Records a release. Where somebody was faster with its version, its tag leads to theirs again. Throws LockageError. */
async function record(context: Context, made: Release): Promise<Release> {
  try {
    return await context.records.addRelease(made);
  } catch (error) {
    if (!made.adopted) await giveTagBack(context, made);
    throw error;
  }
}

/** A push takes minutes, in which somebody else may have pushed and recorded the same version: what was pushed last has the tag. */
async function giveTagBack({ records, builder, terminal }: Context, made: Release): Promise<void> {
  const { version, repository, digest } = made;
  try {
    const theirs = (await records.releases()).find((each) => each.version === version);
    if (!theirs || theirs.adopted || theirs.repository !== repository || theirs.digest === digest) return;
    await builder.restoreTag(theirs);
    terminal.note(`${repository}:${version} leads again to what ${theirs.builder} has released meanwhile`);
  } catch (error) {
    terminal.note(`${repository}:${version} leads to what was pushed here, and was not recorded: ${messageOf(error)}`);
  }
}

/** Returns what the release declares of its data. Throws LockageError where that contradicts itself. */
function declaredSchema(project: Project, request: ReleaseRequest): Pick<Release, 'schema' | 'compatible'> {
  const schema = request.schema ?? project.schema;
  const compatible = request.compatible ?? project.compatible;
  if (compatible === undefined) return schema === undefined ? {} : { schema };
  if (schema !== undefined && compatible <= schema) return { schema, compatible };
  throw new LockageError(
    schema === undefined
      ? `compatible is ${compatible}, and no schema is declared`
      : `compatible is ${compatible}, which is later than the schema that is declared, ${schema}`,
    {
      hint: 'Write both in lockage.yaml, `schema` as what the migration brings data to and `compatible` as the oldest whose code runs with it.',
    },
  );
}

async function build(context: Context, version: string, allowDirty: boolean): Promise<ReleaseResult> {
  const { commit, changes } = await context.builder.tree();
  if (commit !== undefined && changes.length > 0 && !allowDirty) throw uncommitted(changes);
  // What was never committed is never the same twice, as a tree with changes.
  const dirty = commit === undefined || changes.length > 0;
  const source = { version, ...(commit === undefined ? {} : { commit }), dirty };
  if (commit === undefined)
    context.terminal.note('nothing is committed here: the release is made of the files as they are, and says so');
  return (await existing(context, source)) ?? (await buildNow(context, source));
}

/** The source that a release is made of. */
interface Source {
  readonly version: string;
  readonly commit?: string;
  /** it is made of the folder's files, and not of the commit */
  readonly dirty: boolean;
}

async function buildNow(context: Context, source: Source): Promise<ReleaseResult> {
  const { builder, project, actor } = context;
  const { version, commit, dirty } = source;
  const labels = buildLabels({ app: project.app, ...source, builder: actor });
  await context.observers?.reach('pre-build', { version });
  await builder.build(version, dirty || commit === undefined ? 'folder' : { commit }, labels);
  // To build takes minutes, in which somebody else may have released the version.
  const meanwhile = await existing(context, source);
  if (meanwhile) return meanwhile;
  const image = await builder.push(version);
  return { outcome: 'released', release: releaseOf(context, source, { ...image, builder: actor }) };
}

function releaseOf(context: Context, source: Source, made: ReleasedImage & Pick<Release, 'builder'>): Release {
  const { version, commit, dirty } = source;
  const createdAt = new Date(context.now()).toISOString();
  return { version, ...(commit === undefined ? {} : { commit }), createdAt, ...made, ...(dirty ? { dirty } : {}) };
}

/**
 * Returns the release where it is there already: recorded, or pushed by a command that was ended before it recorded it.
 * Throws LockageError when the version was made of something else.
 */
async function existing(context: Context, source: Source): Promise<ReleaseResult | undefined> {
  const { project, records, registry } = context;
  const { version } = source;
  const releases = await records.releases();
  const found = alreadyReleased(releases, source);
  if (found) return { outcome: 'unchanged', release: found };
  const digest = await registry.tagged(project.repository, version, releases.length === 0);
  if (digest === undefined) return undefined;
  const { repository } = project;
  const labels = await registry.labels({ repository, digest });
  const builder = builderOf(labels, { app: project.app, ...source });
  if (builder === undefined) throw foreignTag(project, version, digest);
  context.terminal.note(`${repository}:${version} was pushed by ${builder} and not recorded: it is recorded now`);
  const image = await registry.image(`${repository}@${digest}`);
  return { outcome: 'released', release: releaseOf(context, source, { ...image, repository, builder }) };
}

function uncommitted(changes: readonly string[]): LockageError {
  return new LockageError('there are uncommitted changes', {
    details: changes.slice(0, 10),
    hint: 'Commit them, so that the release says what it was made of; or say --allow-dirty, which is recorded.',
  });
}

/**
 * Makes the error for a tag that nobody recorded here. It is somebody's: pushing over it would change what others
 * believe to run.
 */
function foreignTag({ repository }: Project, version: string, digest: Digest): LockageError {
  return new LockageError(`${repository}:${version} exists in the registry and is not a recorded release`, {
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
