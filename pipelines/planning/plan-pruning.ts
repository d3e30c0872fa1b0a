import type { MachineImage } from '../model/machine-image.ts';
import { shortDigest, type Digest, type Release } from '../model/release.ts';
import { engineKey } from '../model/endpoint.ts';
import type { HostStorage, RegistryImage, StoredImage, StoredMachineImage, StoredOnHost } from '../model/storage.ts';
import {
  keptInRegistry,
  keptMachineImages,
  keptOnHosts,
  knownReleases,
  reasonToGo,
  type Kept,
  type MachinesOf,
  type ReleaseGraph,
} from '../policy/retention.ts';

/** A thing that takes room, and whether it stays. */
export interface StoredThing {
  /** names of a host, `registry`, or `this computer` */
  readonly place: string;
  readonly kind: 'image' | 'volume' | 'machine image';
  /** as people read it: a version, or what names it */
  readonly name: string;
  readonly bytes?: number;
  readonly kept: boolean;
  /** why it is kept or removed */
  readonly reason: string;
  /** digest or name, by which it is the same thing when it is looked at again */
  readonly id: string;
}

/** An engine with what it stores for all environments that have it. */
export interface StoredPlace extends Pick<StoredOnHost, 'host' | 'images' | 'volumes'> {
  /** the names that environments give it, which no other engine has */
  readonly place: string;
}

/** Returns each engine once that answered: several environments may have it, under one name or several. */
export function storedPlaces(found: readonly HostStorage[]): readonly StoredPlace[] {
  const engines = new Map<string, StoredOnHost[]>();
  for (const each of found) {
    if ('error' in each) continue;
    const key = engineKey(each.host.endpoint);
    engines.set(key, [...(engines.get(key) ?? []), each]);
  }
  const places = [...engines].flatMap(([key, same]) => {
    const [first] = same;
    const volumes = [...new Map(same.flatMap((each) => each.volumes.map((volume) => [volume.name, volume]))).values()];
    const place = [...new Set(same.map(({ host }) => host.name))].join(', ');
    return first ? [{ key, place, host: first.host, images: first.images, volumes }] : [];
  });
  return places.map(({ key, ...each }) => {
    const isShared = places.some((other) => other.key !== key && other.place === each.place);
    return isShared ? { ...each, place: `${each.place} (${each.host.endpoint.url})` } : each;
  });
}

/** Everything that is decided from. Only what was looked at is there. */
export interface PruningInputs {
  readonly graph: ReleaseGraph;
  readonly hosts: readonly StoredPlace[];
  readonly registry: readonly RegistryImage[];
  readonly machines: {
    readonly stored: readonly StoredMachineImage[];
    readonly recorded: readonly MachineImage[];
    readonly environments: readonly MachinesOf[];
  };
}

/** Returns each thing that is stored for releases, kept or not, with the reason: what goes is first. */
export function planPruning(inputs: PruningInputs): readonly StoredThing[] {
  const { graph, hosts, registry, machines } = inputs;
  const onHosts = keptOnHosts(graph);
  const inRegistry = withParts(keptInRegistry(graph), registry, graph);
  const images = keptMachineImages(machines.environments, machines.recorded);
  const things = [
    ...hosts.flatMap((each) => thingsOnHost(each, onHosts, graph)),
    ...registry.map((image) => registryThing(image, inRegistry, graph)),
    ...machines.stored.flatMap((stored) => machineThings(stored, machines.recorded, images)),
  ];
  return [...things.filter(({ kept }) => !kept), ...things.filter(({ kept }) => kept)];
}

/**
 * Returns the images for single platforms that were pushed for a release that goes, and that nothing that is kept is made of. The
 * registry keeps each of them by its tag.
 */
export function platformImagesOf(
  digest: Digest,
  { graph, registry }: Pick<PruningInputs, 'graph' | 'registry'>,
): readonly Digest[] {
  const kept = withParts(keptInRegistry(graph), registry, graph);
  const all = knownReleases(graph);
  const imagesOf = ({ platforms = {} }: Release) => Object.values(platforms);
  const needed = new Set(all.filter((each) => kept.has(each.digest)).flatMap(imagesOf));
  const own = all.filter((each) => each.digest === digest).flatMap(imagesOf);
  return [...new Set(own)].filter((each) => each !== digest && !kept.has(each) && !needed.has(each));
}

/** An image that is kept is of no use without what it is made of, which may be another release by itself. */
function withParts(kept: Kept, registry: readonly RegistryImage[], graph: ReleaseGraph): Kept {
  const parts = registry
    .filter(({ digest }) => kept.has(digest))
    .flatMap(({ digest, parts: own = [] }) => {
      const reason = `${releaseOf([digest], graph)?.version ?? digest} is made of it`;
      return own.map((part) => [part, reason] as const);
    });
  return new Map([...parts, ...kept]);
}

function thingsOnHost({ place, images, volumes }: StoredPlace, kept: Kept, graph: ReleaseGraph): StoredThing[] {
  return [
    ...images.map((image) => ({ place, kind: 'image' as const, ...hostImage(image, kept, graph) })),
    ...volumes.map(({ name, bytes }) => ({
      ...{ place, kind: 'volume' as const, id: name, name: name.slice(0, 12), kept: false },
      ...(bytes === undefined ? {} : { bytes }),
      reason: 'nobody named it, and the container that had it is gone',
    })),
  ];
}

type ImageThing = Pick<StoredThing, 'id' | 'name' | 'bytes' | 'kept' | 'reason'>;

function hostImage(image: StoredImage, kept: Kept, graph: ReleaseGraph): ImageThing {
  const { digests, bytes, usedBy } = image;
  const [id = ''] = digests;
  const release = releaseOf(digests, graph);
  const needed = digests.map((digest) => kept.get(digest)).find((reason) => reason !== undefined);
  const [user] = usedBy;
  const used = user === undefined ? undefined : `container ${user} is made of it`;
  const reason = needed ?? used ?? unknown(release) ?? named(image, graph);
  const name = release?.version ?? shortDigest(id);
  return { id, name, bytes, kept: reason !== undefined, reason: reason ?? reasonToGo(release?.digest ?? '', graph) };
}

function unknown(release: Release | undefined): string | undefined {
  return release ? undefined : 'nothing that is recorded is made of it: it may be somebody else’s';
}

/** A name that Lockage gave it is a digest, or the version that it was built for. */
function named({ names, others = [] }: StoredImage, graph: ReleaseGraph): string | undefined {
  const versions = new Set(knownReleases(graph).map(({ version }) => version));
  const isOwn = (name: string) => {
    const [, tag = ''] = /:([^/@:]+)$/.exec(name) ?? [];
    return name.includes('@') || tag.startsWith('sha256-') || versions.has(tag);
  };
  const [other] = [...others, ...names.filter((name) => !isOwn(name))];
  return other === undefined ? undefined : `somebody named it ${other}`;
}

function releaseOf(digests: readonly string[], graph: ReleaseGraph): Release | undefined {
  return knownReleases(graph).find(({ digest }) => digests.includes(digest));
}

function registryThing({ digest, bytes }: RegistryImage, kept: Kept, graph: ReleaseGraph): StoredThing {
  const reason = kept.get(digest);
  return {
    ...{ place: 'registry', kind: 'image', id: digest, name: releaseOf([digest], graph)?.version ?? digest },
    ...(bytes === undefined ? {} : { bytes }),
    ...{ kept: reason !== undefined, reason: reason ?? reasonToGo(digest, graph) },
  };
}

/** An image that this app has not recorded is another one's. */
function machineThings(
  { digest, bytes, shared }: StoredMachineImage,
  recorded: readonly MachineImage[],
  kept: Kept,
): StoredThing[] {
  const image = recorded.find((each) => each.digest === digest);
  if (!image) return [];
  const reason = kept.get(digest) ?? (shared ? 'other projects on this computer may have machines of it' : undefined);
  return [
    {
      ...{ place: 'this computer', kind: 'machine image', id: digest, name: `${image.kind} ${image.version}`, bytes },
      ...{ kept: reason !== undefined, reason: reason ?? 'no machine is made from it, and there is a newer one' },
    },
  ];
}
