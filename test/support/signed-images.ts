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

/** Images without layers in a registry, and what is laid beside them. */
export class SignedImages {
  readonly address: string;
  /** a folder for files of the tests */
  readonly folder: string;
  readonly #own: TestRegistry | undefined;
  readonly #referrers = new Referrers();
  readonly #writer = new RegistryWriter();

  private constructor(address: string, folder: string, own?: TestRegistry) {
    this.address = address;
    this.folder = folder;
    this.#own = own;
  }

  /** In a registry of their own, which has no API for what refers to an image. */
  static async start(): Promise<SignedImages> {
    const own = await TestRegistry.start();
    return new SignedImages(own.address, await mkdtemp(join(tmpdir(), 'lockage-evidence-')), own);
  }

  /** In a registry that is there. */
  static async at(address: string): Promise<SignedImages> {
    return new SignedImages(address, await mkdtemp(join(tmpdir(), 'lockage-evidence-')));
  }

  async stop(): Promise<void> {
    await this.#own?.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  get repository(): string {
    return `${this.address}/team/shop`;
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
