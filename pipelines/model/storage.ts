import type { Fence } from './fence.ts';
import type { Digest } from './release.ts';
import type { Host } from './target.ts';

/** An image of an app on a host. */
export interface StoredImage {
  readonly digests: readonly Digest[];
  /** the names that it has in the app's repositories */
  readonly names: readonly string[];
  /** the names that it has elsewhere; absent: none */
  readonly others?: readonly string[];
  /** layers that other images share are counted */
  readonly bytes: number;
  /** names of the containers that are made of it, whoever they belong to */
  readonly usedBy: readonly string[];
}

/** A volume without a name that a container of a release had, which is gone. */
export interface StoredVolume {
  readonly name: string;
  readonly bytes?: number;
}

/** The things that a host stores for an environment's releases, or why it does not tell. */
export type HostStorage = StoredOnHost | { readonly host: Host; readonly error: string };

/** The things that a host stores for an environment's releases. */
export interface StoredOnHost {
  readonly host: Host;
  readonly images: readonly StoredImage[];
  readonly volumes: readonly StoredVolume[];
  /** the environment's, as the host knows it */
  readonly fence?: Fence;
}

/** An image of a release in a registry. */
export interface RegistryImage {
  readonly repository: string;
  readonly digest: Digest;
  /** as it is sent; absent: it is several images, or not known */
  readonly bytes?: number;
  /** of an index: what it is made of, which is of no use without */
  readonly parts?: readonly Digest[];
}

/** An image of machines on this computer. */
export interface StoredMachineImage {
  readonly digest: string;
  readonly bytes: number;
  /** every project on this computer gets it that asks for machines of today's packages */
  readonly shared: boolean;
}
