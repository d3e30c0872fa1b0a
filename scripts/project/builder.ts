import { join } from 'node:path';
import type { Project } from '../../pipelines/model/environment.ts';
import type { Builder, ReleasedImage, SourceTree, Terminal } from '../../pipelines/operations/ports.ts';
import { variablesFor } from '../../infra/system/environment.ts';
import type { RegistryClient } from '../../infra/registry/client.ts';
import { buildArguments, platformArguments, pushArguments } from '../tools/docker-arguments.ts';
import { readGitTree } from '../tools/git.ts';
import { mustRun } from '../tools/shell.ts';

interface Dependencies {
  readonly project: Project;
  readonly registry: RegistryClient;
  readonly terminal: Terminal & { detail(text: string): void };
  readonly signal: AbortSignal;
}

/** Builds the project's images with the Docker CLI, and pushes them to its repository. */
export class DockerBuilder implements Builder {
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  tree(): Promise<SourceTree> {
    return readGitTree(this.#dependencies.project.root);
  }

  async build(version: string, { commit }: SourceTree): Promise<ReleasedImage> {
    const { project, registry, terminal, signal } = this.#dependencies;
    const { repository, root, build } = project;
    const tag = `${repository}:${version}`;
    const labels = {
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': commit,
    };
    const context = join(root, build.context);
    const absolute = { ...build, context, dockerfile: join(context, build.dockerfile) };
    const env = variablesFor('docker');
    const options = { env, signal, onLine: (line: string) => terminal.detail(line) };
    terminal.step('build', tag);
    await mustRun('build the image', buildArguments(absolute, tag, labels), options);
    const platform = (await mustRun('inspect the image', platformArguments(tag), { env })).trim();
    terminal.step('push', tag);
    await mustRun('push the image', pushArguments(tag), options);
    const digest = await registry.resolve(repository, version);
    const { user } = await registry.imageConfig(repository, digest, platform);
    return { repository, digest, platform, user };
  }
}
