import { randomBytes } from 'node:crypto';
import type { RegistryClient } from '../../infra/registry/client.ts';
import { imageFor, imageOf, imagesOf } from '../../infra/registry/images-of.ts';
import { platformIndex } from '../../infra/registry/platform-index.ts';
import { familiarName } from '../../infra/registry/reference.ts';
import type { RegistryWriter } from '../../infra/registry/writer.ts';
import { variablesFor } from '../../infra/system/environment.ts';
import { failpoint } from '../../infra/system/failpoint.ts';
import { BrokenError, LockageError } from '../../pipelines/errors.ts';
import type { FoundPackages } from '../../pipelines/model/evidence/bill-of-materials.ts';
import type { Project } from '../../pipelines/model/environment.ts';
import { shortDigest, type Digest, type Release } from '../../pipelines/model/release.ts';
import type { Builder, BuildSource, ReleasedImage, SourceTree } from '../../pipelines/operations/ports/builder.ts';
import type { Terminal } from '../../pipelines/operations/ports/operator.ts';
import { buildArguments, digestsArguments, platformArguments, pushArguments } from '../tools/docker-arguments.ts';
import { dockerHint } from '../tools/docker-hint.ts';
import { readGitTree } from '../tools/git.ts';
import { digestOfRepository, pushedDigest } from '../tools/pushed-digest.ts';
import { mustRun, run } from '../tools/shell.ts';
import { partsOf, withBuildContext } from './build-context.ts';
import { imagePackages } from './image-packages.ts';

interface Dependencies {
  readonly project: Project;
  readonly registry: RegistryClient;
  readonly writer: Pick<RegistryWriter, 'putManifest'>;
  readonly terminal: Terminal & { detail(text: string): void };
  readonly signal: AbortSignal;
}

/** Milliseconds for what an engine does at once, even a busy one. */
const questionTimeout = 2 * 60_000;

/** A builder of the project's images with the Docker CLI, which pushes them to its repository. */
export class DockerBuilder implements Builder {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  tree(): Promise<SourceTree> {
    const { project } = this.#dependencies;
    return readGitTree(project.root, partsOf(project));
  }

  async build(version: string, source: BuildSource, labels: Readonly<Record<string, string>>): Promise<void> {
    const { project, terminal, signal } = this.#dependencies;
    const { root, build } = project;
    terminal.step('build', this.#tag(version));
    await withBuildContext({ root, build, source, signal }, async ({ context, dockerfile }) => {
      for (const platform of build.platforms ?? [build.platform]) {
        const built = this.#tag(`building-${randomBytes(6).toString('hex')}`);
        const settings = { ...build, context, dockerfile, ...(platform === undefined ? {} : { platform }) };
        await this.#buildFor(platform, built, (more) => buildArguments(settings, built, labels, more));
        await this.#name(built, build.platforms && platform ? tagFor(version, platform) : version);
      }
    });
  }

  /**
   * Builds an image, and once more without the cache where it is for another platform than asked: the engine's own builder
   * takes what it has built for any. Throws LockageError when it still is.
   */
  async #buildFor(
    platform: string | undefined,
    built: string,
    argv: (more: readonly string[]) => readonly string[],
  ): Promise<void> {
    for (const more of [[], ['--no-cache']]) {
      await this.#docker('build the image', argv(more));
      if (platform === undefined) return;
      const { code, stdout } = await run(platformArguments(built), {
        env: variablesFor('docker'),
        timeout: questionTimeout,
      });
      const found = stdout.trim();
      // One that is not there is told of when it is named.
      if (code !== 0 || `${platform}/`.startsWith(`${found}/`)) return;
      if (more.length > 0) throw notFor(platform, found);
    }
  }

  /**
   * Gives a built image its version. It was built under a name that nothing else has: a builder that leaves its images
   * elsewhere would else have an older image of that version pushed in its place.
   */
  async #name(built: string, version: string): Promise<void> {
    const found = await run(platformArguments(built), { env: variablesFor('docker'), timeout: questionTimeout });
    if (found.late)
      throw new LockageError(`the Docker Engine did not look at ${built} within ${questionTimeout / 1000} s`);
    if (found.code !== 0) throw notLoaded(this.#tag(version), found.stderr);
    await this.#docker('name the image', ['docker', 'image', 'tag', built, this.#tag(version)]);
    await this.#docker('name the image', ['docker', 'image', 'rm', '--no-prune', built]);
  }

  async push(version: string): Promise<ReleasedImage> {
    const { project, registry, terminal } = this.#dependencies;
    const { repository } = project;
    const tag = this.#tag(version);
    if (project.build.platforms) return this.#pushSeveral(version, project.build.platforms);
    const platform = (await this.#docker('inspect the image', platformArguments(tag))).trim();
    terminal.step('push', tag);
    const digest = await this.pushTag(version);
    failpoint('after:push');
    const answered = await registry.resolve(repository, version);
    if (answered !== digest) throw notWhatWasPushed(tag, digest, answered);
    return { repository, digest, ...(await imageOf(registry, repository, digest, platform)), platform };
  }

  /** Pushes the images for several platforms, and one digest that stands for all of them. */
  async #pushSeveral(version: string, platforms: readonly string[]): Promise<ReleasedImage> {
    const { project, registry, terminal, writer } = this.#dependencies;
    const { repository } = project;
    const images = [];
    for (const platform of platforms) {
      terminal.step('push', `${this.#tag(version)} for ${platform}`);
      const pushed = await this.pushTag(tagFor(version, platform));
      // A builder with containerd's store pushes an index: of the image, and how it was built.
      const { manifest } = await imageFor(registry, repository, pushed, platform);
      images.push({ ...manifest, platform });
    }
    const index = platformIndex(images);
    // As with a push: who had that tag meanwhile is found by what it is afterwards.
    await writer.putManifest((await registry.locate(repository)).repository, version, index);
    failpoint('after:push');
    const answered = await registry.resolve(repository, version);
    if (answered !== index.digest) throw notWhatWasPushed(this.#tag(version), index.digest, answered);
    return { repository, digest: index.digest, ...(await imagesOf(registry, repository, index.digest, platforms)) };
  }

  /** Pushes an image of the repository, as a release's by its version, to where that lies today. Returns the digest that was pushed. */
  async pushTag(version: string): Promise<Digest> {
    const { project, registry } = this.#dependencies;
    const tag = this.#tag(version);
    const place = (await registry.locate(project.repository)).repository;
    if (place === project.repository)
      return this.#pushed(version, place, await this.#docker('push the image', pushArguments(tag)));
    const placed = `${place}:${version}`;
    await this.#docker('name the image', ['docker', 'image', 'tag', tag, placed]);
    try {
      return await this.#pushed(version, place, await this.#docker('push the image', pushArguments(placed)));
    } finally {
      // The port in that name means nothing later.
      await this.#docker('name the image', ['docker', 'image', 'rm', '--no-prune', placed]);
    }
  }

  async restoreTag({ repository, version, digest }: Pick<Release, 'repository' | 'version' | 'digest'>): Promise<void> {
    const { registry, writer } = this.#dependencies;
    const manifest = await registry.manifest(repository, digest);
    await writer.putManifest((await registry.locate(repository)).repository, version, manifest);
  }

  /** By what the digest stands for, and never by the tag, which may lead to another image here by now. */
  async packages({ repository, digest, platform }: Release): Promise<FoundPackages | undefined> {
    const { registry, signal, terminal } = this.#dependencies;
    const { config, manifest } = await registry.parts(repository, digest, platform);
    // An engine names images by the hash of their configuration, or, with containerd's store, of their manifest.
    const tell = (text: string) => terminal.note(text);
    return imagePackages([config.digest, manifest.digest, digest], { signal, tell });
  }

  #tag(version: string): string {
    return `${this.#dependencies.project.repository}:${version}`;
  }

  /**
   * Returns the digest that was pushed. The push itself says it: whoever can push to the registry can change what
   * that answers a moment later.
   */
  async #pushed(version: string, repository: string, output: string): Promise<Digest> {
    const said = pushedDigest(output, version);
    if (said) return said;
    const listed = await this.#docker('inspect the image', digestsArguments(this.#tag(version)));
    const found = digestOfRepository(listed, familiarName(repository));
    if (found) return found;
    throw new BrokenError(`Docker does not say which digest it pushed as ${this.#tag(version)}`, {
      hint: 'Nothing was recorded. Run the same command again: it records the image if it is the one that was built.',
    });
  }

  async #docker(what: string, argv: readonly string[]): Promise<string> {
    const { terminal, signal } = this.#dependencies;
    const known = { env: variablesFor('docker'), signal, hint: dockerHint };
    // A build or a push takes as long as it takes, and shows people how it goes on.
    if (argv[1] === 'image') return mustRun(what, argv, { ...known, timeout: questionTimeout });
    return mustRun(what, argv, { ...known, onLine: (line) => terminal.detail(line) });
  }
}

/** Returns the tag of an image for one platform of several: no version, so that nobody takes it for a release. */
function tagFor(version: string, platform: string): string {
  return `platform-${platform.replaceAll('/', '-')}-${version}`;
}

function notFor(platform: string, found: string): LockageError {
  return new LockageError(`the builder made an image for ${found} when asked for ${platform}`, {
    hint: 'The base image in the Dockerfile may be for that platform alone: take one that is for both, or another builder.',
  });
}

function notLoaded(tag: string, said: string): LockageError {
  return new LockageError(`the builder has built ${tag} and not given it to the Docker Engine`, {
    details: said.trim().split('\n').slice(-1),
    hint: 'Unset BUILDX_BUILDER or run `docker buildx use default`: only the builder of the engine itself does so by itself.',
  });
}

function notWhatWasPushed(tag: string, pushed: Digest, answered: Digest): BrokenError {
  return new BrokenError(`${tag} in the registry is not what was pushed`, {
    details: [
      `pushed as ${shortDigest(pushed)}`,
      `the registry answers ${shortDigest(answered)}`,
      'nothing was recorded',
    ],
    hint: 'Find out who else pushes to that tag, or what stands before the registry. Then release another version.',
  });
}
