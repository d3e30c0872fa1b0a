import { createHash } from 'node:crypto';
import type { Digest } from '../../pipelines/model/release.ts';
import type { Manifest } from './client.ts';

/** An image for one platform, as a registry has it. */
export interface PlatformImage extends Manifest {
  /** `linux/arm64`, `linux/arm/v7` */
  readonly platform: string;
}

const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';

/**
 * Returns the index of images for several platforms: one digest, of which each engine pulls its own. Of Docker's manifests
 * it is a list as Docker writes it (distribution, manifest-v2-2), as older registries take no mixed ones; else an OCI index.
 */
export function platformIndex(images: readonly PlatformImage[]): Manifest {
  const isDockers = images.every(({ mediaType }) => mediaType === dockerManifest);
  const mediaType = isDockers
    ? 'application/vnd.docker.distribution.manifest.list.v2+json'
    : 'application/vnd.oci.image.index.v1+json';
  const manifests = images.map(({ mediaType: own, digest, bytes, platform }) => {
    const [os, architecture, variant] = platform.split('/');
    const described = { os, architecture, ...(variant === undefined ? {} : { variant }) };
    return { mediaType: own, digest, size: bytes.length, platform: described };
  });
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { digest, mediaType, bytes };
}
