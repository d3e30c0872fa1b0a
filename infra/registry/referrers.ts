/*
 * What refers to an image in its registry: manifests with a `subject` (OCI distribution 1.1). A registry that knows them lists
 * them itself; for one that does not, an index under the tag `sha256-HEX` has the list, as the specification says.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { LockageError } from '../../pipelines/errors.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import { digestTag, isDigest, parseReference } from './reference.ts';
import {
  acceptLists,
  descriptorsIn,
  emptyType,
  indexType,
  isOfType,
  listedReferrers,
  manifestType,
  parsed,
  type Descriptor,
} from './referrer-list.ts';
import { RegistryHttp, type RegistryOptions } from './requests.ts';
import { RegistryWriter } from './writer.ts';

const empty = Buffer.from('{}');
/** The most referrers of one image that are read, and the most bytes of them: who can push could add any number. */
const mostReferrers = 500;
const mostBytes = 32 * 1024 * 1024;
/** How many are read at the same time. */
const atOnce = 8;

/** Something that is to refer to an image. */
export interface Referrer {
  readonly artifactType: string;
  readonly content: Buffer;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The referrers of images. Every method throws LockageError, naming the registry, when it cannot be reached or refuses. */
export class Referrers {
  readonly #http: RegistryHttp;
  readonly #writer: RegistryWriter;
  readonly #locate: RegistryOptions['locate'];

  constructor(options: RegistryOptions = {}) {
    this.#http = new RegistryHttp(options);
    this.#writer = new RegistryWriter(options);
    this.#locate = options.locate;
  }

  /** Returns the content of all referrers of a type; what is not as its digest says is passed over. */
  async contents(repository: string, digest: Digest, artifactType: string): Promise<Buffer[]> {
    const place = await this.#placeOf(repository);
    // What was added before a registry knew referrers lies under the tag still.
    const [listed = [], all] = await Promise.all([
      listedReferrers(this.#http, place, { digest, artifactType }),
      this.#tagged(place, digest),
    ]);
    const known = new Set(listed.map((each) => each.digest));
    const tagged = all.filter((each) => !known.has(each.digest) && isOfType(each, artifactType));
    const meant = [...listed, ...tagged];
    const found: Buffer[] = [];
    let bytes = 0;
    for (let next = 0; next < Math.min(meant.length, mostReferrers) && bytes < mostBytes; next += atOnce) {
      const batch = meant.slice(next, next + atOnce);
      const read = batch.map((each) => this.#content(place, each, { subject: digest, artifactType }));
      for (const content of await Promise.all(read)) if (content) found.push(content);
      bytes = found.reduce((sum, { length }) => sum + length, 0);
    }
    return found;
  }

  /** Adds a referrer to an image, which has to be there. */
  async attach(repository: string, digest: Digest, { artifactType, content, annotations }: Referrer): Promise<void> {
    const place = await this.#placeOf(repository);
    const subject = await this.#subject(place, digest);
    for (const blob of [empty, content]) await this.#putBlob(place, blob);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        artifactType,
        config: descriptorOf(emptyType, empty),
        layers: [descriptorOf(artifactType, content)],
        subject,
        annotations,
      }),
    );
    const own = { ...descriptorOf(manifestType, manifest), artifactType, annotations };
    await this.#writer.putManifest(place, own.digest, { digest: own.digest, mediaType: manifestType, bytes: manifest });
    const listed = await listedReferrers(this.#http, place, { digest, artifactType });
    // A list without it is of a registry that does not look at subjects, or that looks at them later.
    if (!listed?.some((each) => each.digest === own.digest)) await this.#addToTag(place, digest, own);
  }

  async #placeOf(repository: string): Promise<string> {
    return this.#locate ? (await this.#locate(repository)).repository : repository;
  }

  async #subject(place: string, digest: Digest): Promise<Descriptor> {
    const types = [manifestType, indexType, ...['manifest', 'manifest.list'].map(dockerType)];
    const headers = { Accept: types.join(', ') };
    const request = { method: 'GET', path: `manifests/${digest}`, headers } as const;
    const { header, body } = await this.#http.request(parseReference(place), request);
    const mediaType = (header('content-type') ?? manifestType).split(';')[0]?.trim() ?? manifestType;
    return { mediaType, digest, size: body.length };
  }

  async #putBlob(place: string, bytes: Buffer): Promise<void> {
    const digest = digestOf(bytes);
    if (await this.#writer.hasBlob(place, digest)) return;
    await this.#writer.putBlob(place, { digest, size: bytes.length, open: async () => Readable.from([bytes]) });
  }

  async #tagged(place: string, digest: Digest): Promise<Descriptor[]> {
    const request = {
      method: 'GET',
      path: `manifests/${digestTag(digest)}`,
      headers: acceptLists,
      accept: [404],
    } as const;
    const { status, body } = await this.#http.request(parseReference(place), request);
    return status === 404 ? [] : descriptorsIn(place, body);
  }

  /** Adds to the list under the tag. Somebody else may write it at the same time: what is not in it then is added once more. */
  async #addToTag(place: string, digest: Digest, own: Descriptor): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt++) {
      const manifests = await this.#tagged(place, digest);
      if (manifests.some((each) => each.digest === own.digest)) return;
      // A registry refuses a list with what is gone, and somebody may have removed some.
      const there = await Promise.all(manifests.map((each) => this.#exists(place, each)));
      const kept = manifests.filter((_, index) => there[index]);
      const index = { schemaVersion: 2, mediaType: indexType, manifests: [...kept, own] };
      const bytes = Buffer.from(JSON.stringify(index));
      await this.#writer.putManifest(place, digestTag(digest), {
        digest: digestOf(bytes),
        mediaType: indexType,
        bytes,
      });
    }
    const manifests = await this.#tagged(place, digest);
    if (manifests.some((each) => each.digest === own.digest)) return;
    throw new LockageError(`${place}:${digestTag(digest)} is changed by others again and again`, {
      hint: 'Run the same command again.',
    });
  }

  async #exists(place: string, { digest }: Descriptor): Promise<boolean> {
    const request = { method: 'HEAD', path: `manifests/${digest}`, headers: acceptLists, accept: [404] } as const;
    return (await this.#http.request(parseReference(place), request)).status !== 404;
  }

  async #content(
    place: string,
    { digest }: Descriptor,
    { subject, artifactType }: { readonly subject: Digest; readonly artifactType: string },
  ): Promise<Buffer | undefined> {
    const manifest = await this.#checked(place, `manifests/${digest}`, digest);
    const read = manifest && parsed(manifest);
    const layer = Array.isArray(read?.layers) && read.layers.length === 1 ? (read.layers[0] as Descriptor) : undefined;
    if (!layer || read?.subject?.digest !== subject || layer.mediaType !== artifactType || !isDigest(layer.digest)) {
      return undefined;
    }
    return this.#checked(place, `blobs/${layer.digest}`, layer.digest);
  }

  /** Returns bytes that are as their digest says; undefined where they are gone, or others. */
  async #checked(place: string, path: string, digest: Digest): Promise<Buffer | undefined> {
    const request = { method: 'GET', path, headers: acceptLists, accept: [404] } as const;
    const { status, body } = await this.#http.request(parseReference(place), request);
    return status !== 404 && digestOf(body) === digest ? body : undefined;
  }
}

function descriptorOf(mediaType: string, bytes: Buffer): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

function dockerType(kind: string): string {
  return `application/vnd.docker.distribution.${kind}.v2+json`;
}

function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
