/**
 * A bundle: one tar file that is an OCI image layout, which `docker load` takes as well. Beside the images it has the recorded
 * revision that runs from them, and at its end the SHA-256 of everything, as `sha256sum --check` reads it. The hash of that
 * list names the bundle: whoever signs it has signed all.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../pipelines/model/fingerprint.ts';
import { imageByTag, digestTag, parseReference } from '../reference.ts';

/** The recorded revision. */
export const recordPath = 'lockage.json';
/** What `docker load` reads. */
export const dockerPath = 'manifest.json';
export const layoutPath = 'oci-layout';
export const indexPath = 'index.json';
/** The last entry: without it a bundle is not whole. */
export const sumsPath = 'SHA256SUMS';

export const layoutText = '{"imageLayoutVersion":"1.0.0"}';
/** The annotation by which an image of a layout is named. */
export const imageNameKey = 'io.containerd.image.name';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** A blob, as manifests describe it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image of a bundle. */
export interface BundledImage {
  /** as it is recorded, by its digest: `registry.example.com/shop@sha256:…` */
  readonly reference: string;
  /** the manifest, or the index, that has this digest */
  readonly root: Descriptor;
  /** the image's own manifest where that is another one, of an index */
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** lowest first */
  readonly layers: readonly Descriptor[];
}

/** An image as `docker load` has it described. */
export interface DockerEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/** Returns the path of a blob. */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** Returns the name by which an engine knows an image of a bundle: `registry.example.com/shop:sha256-…` */
export function loadedName(reference: string): string {
  const { repository, digest = '' } = parseReference(reference);
  return imageByTag({ repository, digest });
}

/** Returns an image as `docker load` has it described. */
export function dockerEntry({ reference, config, layers }: BundledImage): DockerEntry {
  return {
    Config: blobPath(config.digest),
    RepoTags: [loadedName(reference)],
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

/** Returns the small files of a bundle: path → content. */
export function smallFiles(images: readonly BundledImage[], record: string): ReadonlyMap<string, string> {
  const manifests = images.map(({ reference, root }) => ({
    ...root,
    annotations: {
      [imageNameKey]: loadedName(reference),
      'org.opencontainers.image.ref.name': digestTag(parseReference(reference).digest ?? ''),
    },
  }));
  return new Map([
    [recordPath, record],
    [layoutPath, layoutText],
    [indexPath, canonicalJson({ schemaVersion: 2, mediaType: indexType, manifests })],
    [dockerPath, canonicalJson(images.map(dockerEntry))],
  ]);
}

/** Returns the list of hashes: path → hex digits. */
export function sumsText(sums: ReadonlyMap<string, string>): string {
  return [...sums].map(([path, sum]) => `${sum}  ${path}\n`).join('');
}

/** Returns the hash of bytes, as hex digits. */
export function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
