import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { RecordedRevision } from '../../../pipelines/model/recorded-revision.ts';
import { withoutVersions } from '../../../pipelines/model/recorded-revision.ts';
import type { Digest } from '../../../pipelines/model/release.ts';
import type { ImageToBundle } from '../../../infra/registry/bundle/write-bundle.ts';
import { release, spec } from '../../pipelines/model/values.ts';

export const digestOf = (bytes: Buffer | string): Digest =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** An image as a registry has it: its blobs by their digests. */
export interface TestImage {
  readonly digest: Digest;
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: Buffer;
  readonly toBundle: (reference: string) => ImageToBundle;
}

/** An image of these layers, which are no real file systems. */
export function testImage(...contents: readonly string[]): TestImage {
  const layers = contents.map((text) => gzipSync(text));
  const config = Buffer.from(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: contents.map(digestOf) },
    }),
  );
  const described = (bytes: Buffer, mediaType: string) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
  const configuration = described(config, 'application/vnd.oci.image.config.v1+json');
  const parts = layers.map((bytes) => described(bytes, 'application/vnd.oci.image.layer.v1.tar+gzip'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: configuration, layers: parts }));
  const blobs = new Map([config, manifest, ...layers].map((bytes) => [digestOf(bytes) as string, bytes]));
  const root = described(manifest, mediaType);
  return {
    digest: root.digest,
    blobs,
    manifest,
    toBundle: (reference) => ({
      ...{ reference, root, manifest: root, config: configuration, layers: parts },
      blob: ({ digest }) => [blobs.get(digest) ?? Buffer.alloc(0)],
    }),
  };
}

/** A revision whose release and edge are these images. */
export function recordedWith(own: TestImage, edge: TestImage): RecordedRevision {
  return {
    ...{ app: 'shop', environment: 'prod', number: 12, release: { ...release('1.4.0'), digest: own.digest } },
    containers: [withoutVersions(spec('web-1.4.0'))],
    accessories: [],
    edge: { image: `registry.example.com/edge@${edge.digest}` },
    hosts: ['prod-1'],
    insecureRegistries: [],
  };
}
