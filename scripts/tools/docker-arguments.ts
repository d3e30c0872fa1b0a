import type { Build } from '../../pipelines/model/environment.ts';

/** Returns the arguments of the Docker CLI to build an image. Builders only: nothing runs here. */
export function buildArguments(
  build: Build,
  tag: string,
  labels: Readonly<Record<string, string>>,
  more: readonly string[] = [],
): string[] {
  return [
    ...['docker', 'build', ...more, '--file', build.dockerfile, '--tag', tag],
    ...(build.platform ? ['--platform', build.platform] : []),
    ...Object.entries(build.args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    build.context,
  ];
}

/** Returns the arguments of the Docker CLI to push an image. */
export function pushArguments(tag: string): string[] {
  return ['docker', 'push', tag];
}

/** Prints the digests by which registries know an image, as a list in JSON. */
export function digestsArguments(tag: string): string[] {
  return ['docker', 'image', 'inspect', '--format', '{{json .RepoDigests}}', tag];
}

/** Prints `os/architecture` of an image. */
export function platformArguments(tag: string): string[] {
  return ['docker', 'image', 'inspect', '--format', '{{.Os}}/{{.Architecture}}', tag];
}
