import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Referrers } from '../../infra/registry/referrers.ts';
import { RegistryWriter } from '../../infra/registry/writer.ts';
import { bundleType } from '../../pipelines/model/evidence/bundle.ts';
import { predicateTypes } from '../../pipelines/model/evidence/statement.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import { TestRegistry } from './registry-fixture.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

export const digestOf = (bytes: Buffer): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Images without layers in a registry of their own, and what is laid beside them. */
export class SignedImages {
  readonly registry: TestRegistry;
  /** a folder for files of the tests */
  readonly folder: string;
  readonly #referrers = new Referrers();
  readonly #writer = new RegistryWriter();

  private constructor(registry: TestRegistry, folder: string) {
    this.registry = registry;
    this.folder = folder;
  }

  static async start(): Promise<SignedImages> {
    return new SignedImages(await TestRegistry.start(), await mkdtemp(join(tmpdir(), 'lockage-evidence-')));
  }

  async stop(): Promise<void> {
    await this.registry.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  get repository(): string {
    return `${this.registry.address}/team/shop`;
  }

  /** Puts an image into the registry, another one for each label. */
  async image(label: string): Promise<Digest> {
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Labels: { label } } }));
    await this.#writer.putBlob(this.repository, {
      ...{ digest: digestOf(config), size: config.length },
      open: async () => Readable.from([config]),
    });
    const descriptor = {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(config),
      size: config.length,
    };
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: descriptor, layers: [] }),
    );
    const digest = digestOf(manifest);
    await this.#writer.putManifest(this.repository, digest, { digest, mediaType: manifestType, bytes: manifest });
    return digest;
  }

  attach(digest: Digest, text: string, kind: keyof typeof predicateTypes = 'release') {
    return this.#referrers.attach(this.repository, digest, {
      artifactType: bundleType,
      content: Buffer.from(text),
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': predicateTypes[kind],
      },
    });
  }

  async found(digest: Digest): Promise<string[]> {
    const contents = await this.#referrers.contents(this.repository, digest, bundleType);
    return contents.map((content) => content.toString());
  }
}
