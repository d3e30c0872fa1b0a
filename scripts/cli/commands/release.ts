import { join } from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import { shortDigest, type Digest, type Release } from '../../../pipelines/model/release.ts';
import { alreadyReleased, nextVersion } from '../../../pipelines/model/releases.ts';
import type { Bump } from '../../../pipelines/model/version.ts';
import { parseReference } from '../../../infra/registry/client.ts';
import { variablesFor } from '../../../infra/system/environment.ts';
import { buildArguments, platformArguments, pushArguments } from '../../tools/docker-arguments.ts';
import { readGitTree } from '../../tools/git.ts';
import { mustRun } from '../../tools/shell.ts';
import { runCommand } from '../run-command.ts';
import type { CommandContext } from '../open-context.ts';
import type { Flags } from '../options.ts';

export interface ReleaseFlags extends Flags {
  readonly bump?: Bump;
  readonly image?: string;
  readonly allowDirty?: boolean;
}

/** `lockage release` */
export async function releaseCommand(
  given: string | undefined,
  flags: ReleaseFlags,
  signal: AbortSignal,
): Promise<void> {
  await runCommand(flags, signal, async (context) => {
    const releases = await context.records.releases();
    const version = nextVersion(releases, given, flags.bump);
    const { release, made } = flags.image
      ? await adopt(context, releases, version, flags.image)
      : await build(context, releases, version, flags.allowDirty ?? false);
    if (made) await context.records.saveReleases([...releases, release]);
    const what = made ? 'released' : 'exists already, made of the same';
    const from = release.commit ? ` of commit ${release.commit.slice(0, 7)}` : '';
    const first = context.project.environments.find(({ after }) => after.length === 0)?.name ?? '';
    context.terminal.result({ outcome: made ? 'released' : 'unchanged', release }, [
      `${version} ${what}: ${shortDigest(release.digest)}${from}, ${release.platform}`,
      ...(made ? [`next: \`lockage promote ${version} --to ${first}\``] : []),
    ]);
  });
}

interface Made {
  readonly release: Release;
  readonly made: boolean;
}

async function build(
  context: CommandContext,
  releases: readonly Release[],
  version: string,
  allowDirty: boolean,
): Promise<Made> {
  const { project, terminal } = context;
  const { repository, build: plan } = project;
  const tree = await readGitTree(project.root);
  if (tree.changes.length > 0 && !allowDirty) {
    throw new LockageError('there are uncommitted changes', {
      details: tree.changes.slice(0, 10),
      hint: 'Commit them, so that the release says what it was made of; or say --allow-dirty, which is recorded.',
    });
  }
  const found = alreadyReleased(releases, { version, commit: tree.commit });
  if (found) return { release: found, made: false };
  await refuseForeignTag(context, version);

  const tag = `${repository}:${version}`;
  const createdAt = new Date(context.now()).toISOString();
  const labels = {
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': tree.commit,
  };
  const absolute = {
    ...plan,
    context: join(project.root, plan.context),
    dockerfile: join(project.root, plan.context, plan.dockerfile),
  };
  const env = variablesFor('docker');
  const watched = { env, signal: context.signal, onLine: (line: string) => terminal.detail(line) };
  terminal.step('build', tag);
  await mustRun('build the image', buildArguments(absolute, tag, labels), watched);
  const platform = (await mustRun('inspect the image', platformArguments(tag), { env })).trim();
  terminal.step('push', tag);
  await mustRun('push the image', pushArguments(tag), watched);
  const digest = await context.registryClient.resolve(repository, version);
  const { user } = await context.registryClient.imageConfig(repository, digest, platform);
  const release: Release = {
    ...{ version, repository, digest, platform, user, commit: tree.commit, builder: context.actor, createdAt },
    ...(tree.changes.length > 0 ? { dirty: true } : {}),
  };
  return { release, made: true };
}

/** A tag that nobody recorded here is somebody's: pushing over it would change what others believe to run. */
async function refuseForeignTag(context: CommandContext, version: string): Promise<void> {
  const { repository } = context.project;
  const digest = await context.registryClient.tagDigest(repository, version);
  if (digest === undefined) return;
  throw new LockageError(`${repository}:${version} exists in the registry and is not a recorded release`, {
    details: [`it is ${shortDigest(digest)}`],
    hint: `Adopt it with \`lockage release ${version} --image ${repository}:${version}\`, or take another version.`,
  });
}

async function adopt(
  context: CommandContext,
  releases: readonly Release[],
  version: string,
  image: string,
): Promise<Made> {
  const { repository, tag, digest: given } = parseReference(image);
  context.terminal.step('resolve', image);
  const digest: Digest = given ?? (await context.registryClient.resolve(repository, tag ?? 'latest'));
  const found = alreadyReleased(releases, { version, digest });
  if (found) return { release: found, made: false };
  const { os, architecture, user } = await context.registryClient.imageConfig(repository, digest);
  const createdAt = new Date(context.now()).toISOString();
  const platform = `${os}/${architecture}`;
  return {
    release: { version, repository, digest, platform, user, builder: context.actor, createdAt, adopted: true },
    made: true,
  };
}
