import { environmentNames } from '../../pipelines/model/names.ts';
import type { StoredImage, StoredOnHost, StoredVolume } from '../../pipelines/model/storage.ts';
import type { Host } from '../../pipelines/model/target.ts';
import type { CallOptions, ContainerSummary, Engine } from '../docker/api/client.ts';
import { containerName } from '../docker/api/names.ts';
import type { NamedImage } from '../docker/api/types.ts';
import { ownerLabels } from '../docker/labels.ts';
import { Edge } from '../edge/edge.ts';
import { passingNames } from '../registry/pull-proxy.ts';
import { digestIn } from '../registry/reference.ts';
import type { Place } from '../resources/inputs.ts';
import { isNameless } from '../workloads/container/inventory.ts';

/** Returns what a host stores for releases: images of these repositories, and nameless volumes of containers that are gone. */
export async function storedOn(
  engine: Engine,
  host: Host,
  { app, environment, repositories }: Place & { readonly repositories: readonly string[] },
  options: CallOptions,
): Promise<StoredOnHost> {
  const { edge } = environmentNames(app, environment);
  const [images, containers, volumes, fence] = await Promise.all([
    engine.namedImages(options),
    engine.listContainers({ all: true, ...options }),
    engine.listVolumes(ownerLabels(app, environment, 'release'), options),
    // One that cannot be read forbids nothing.
    new Edge(engine, edge).fence().catch(() => undefined),
  ]);
  const left = volumes.filter(isNameless).filter(({ Name }) => !containers.some(uses(Name)));
  return {
    host,
    images: images.flatMap((image) => storedImage(image, repositories, containers)),
    volumes: await withSizes(
      engine,
      left.map(({ Name }) => Name),
      options,
    ),
    ...(fence ? { fence } : {}),
  };
}

/** An image without a digest was only built here. */
function storedImage(
  { id, names, bytes }: NamedImage,
  repositories: readonly string[],
  containers: readonly ContainerSummary[],
): StoredImage[] {
  const own = names.filter((name) => repositories.some((repository) => isOf(name, repository)));
  const digests = [...new Set(own.flatMap((name) => digestIn(name) ?? []))];
  const others = names.filter((name) => !own.includes(name) && !name.includes('<none>'));
  const usedBy = containers.filter(({ ImageID }) => ImageID === id).map(containerName);
  if (digests.length === 0) return [];
  return [{ digests, names: own, ...(others.length > 0 ? { others } : {}), bytes, usedBy }];
}

/** Images have another name while they are pulled from a port; after a killed command, some may still have it. */
function isOf(name: string, repository: string): boolean {
  const [before = ''] = name.split('@');
  const found = before.replace(/:[^/]*$/, '');
  const [, passing] = /^127\.0\.0\.1:\d+\/(.+)$/.exec(found) ?? [];
  return found === repository || (passing !== undefined && passingNames(repository).includes(passing));
}

function uses(volume: string): (container: ContainerSummary) => boolean {
  return ({ Mounts }) => Mounts.some(({ Name }) => Name === volume);
}

/** Measuring takes long where much is stored, so it is left out where nothing is to be measured. */
async function withSizes(engine: Engine, names: readonly string[], options: CallOptions): Promise<StoredVolume[]> {
  if (names.length === 0) return [];
  const sizes = await engine.volumeUse(options).catch(() => new Map<string, number>());
  return names.map((name) => {
    const bytes = sizes.get(name);
    return { name, ...(bytes === undefined ? {} : { bytes }) };
  });
}
