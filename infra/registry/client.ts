import { createHash } from 'node:crypto';
import { LockageError } from '../../pipelines/errors.ts';
import { shortDigest, type Digest } from '../../pipelines/model/release.ts';
import { readConfiguration, readManifest, type Described, type ReadConfiguration } from './answers.ts';
import { engineLogin } from './credentials.ts';
import type { HttpStream } from './http.ts';
import { isDigest, parseReference, type Reference } from './reference.ts';
import { RegistryHttp, type Location, type RegistryOptions } from './requests.ts';

export { parseReference, type Reference } from './reference.ts';
export type { Location, RegistryOptions } from './requests.ts';

/** A manifest as the registry keeps it; its digest was computed from these bytes. */
export interface Manifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/**
 * The reason why an answer was refused: it is not what was asked for, by its digest. Nothing else is to be used in
 * its place.
 */
export class WrongContent extends Error {}

/** The settings that an image carries. */
export interface ImageConfig {
  readonly os: string;
  readonly architecture: string;
  /** empty for root */
  readonly user: string;
  /** paths that it declares as volumes, sorted */
  readonly volumes: readonly string[];
  /** it says what to run */
  readonly starts: boolean;
}

const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
/** The images of an index that are asked for their labels: some are for dozens of platforms. */
const mostImages = 16;
/** Of more volumes than these nobody reads. */
const mostVolumes = 50;
const accept = { Accept: [...indexTypes, ...manifestTypes].join(', ') };

/** A layer of an image, as it is sent. */
export interface Layer {
  readonly digest: string;
  readonly bytes: number;
}

/** A part of an image, as its manifest describes it. */
export interface PartDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** The parts of an image. */
export interface ImageParts {
  readonly root: Manifest;
  /** the same where the root is no index */
  readonly manifest: Manifest;
  readonly config: PartDescriptor;
  /** lowest first */
  readonly layers: readonly PartDescriptor[];
}

/**
 * The client of OCI registries, with the credentials of `docker login` on this machine. Repositories are written
 * `registry/name`. Everything it reads is checked against its digest. Every method throws LockageError, naming the
 * registry, when it cannot be reached, refuses, or answers with something other than what was requested.
 */
export class RegistryClient {
  readonly #http: RegistryHttp;
  readonly #locate: RegistryOptions['locate'];

  constructor(options: RegistryOptions = {}) {
    this.#http = new RegistryHttp(options);
    this.#locate = options.locate;
  }

  /** Returns where a repository is reached today: what is recorded need not say it. */
  async locate(repository: string): Promise<Location> {
    return this.#locate ? this.#locate(repository) : { repository };
  }

  /** Returns a reference to an image where it lies today. */
  async #reference(repository: string, tagOrDigest = ''): Promise<Reference> {
    const { repository: place } = await this.locate(repository);
    return parseReference(`${place}${tagOrDigest}`);
  }

  /** Returns the digest of the image or index that a tag points at now. */
  async resolve(repository: string, tag: string): Promise<Digest> {
    return (await this.#read(await this.#reference(repository, `:${tag}`), tag)).digest;
  }

  /** Returns the manifest or index with this digest. */
  async manifest(repository: string, digest: Digest): Promise<Manifest> {
    return this.#read(await this.#reference(repository, `@${digest}`), digest);
  }

  /**
   * Returns the settings of an image; of an index, those of the image for the platform: `linux/amd64` also finds
   * `linux/amd64/v1`.
   */
  async imageConfig(repository: string, digest: Digest, platform?: string): Promise<ImageConfig> {
    const reference = await this.#reference(repository, `@${digest}`);
    let manifest = await this.manifest(repository, digest);
    if (indexTypes.includes(manifest.mediaType)) {
      manifest = await this.manifest(repository, chooseEntry(repository, manifest, platform));
    }
    const found = await this.#config(reference, manifest);
    const { User: user, Volumes, Cmd, Entrypoint } = found.config;
    return {
      ...{ os: found.os, architecture: found.architecture, user },
      volumes: Object.keys(Volumes)
        .filter((path) => path.startsWith('/'))
        .slice(0, mostVolumes)
        .sort(),
      starts: [Entrypoint, Cmd].some((words) => words.length > 0),
    };
  }

  /** Returns the labels of an image; of an index, those that all its images have alike. */
  async labels(repository: string, digest: Digest): Promise<Readonly<Record<string, string>>> {
    const reference = await this.#reference(repository, `@${digest}`);
    const root = await this.manifest(repository, digest);
    const entries = indexTypes.includes(root.mediaType) ? indexEntries(root.bytes).slice(0, mostImages) : undefined;
    const images = entries
      ? entries
          .map((entry) => entry.digest)
          .filter(isDigest)
          .map((each) => this.manifest(repository, each))
      : [root];
    const found = await Promise.all(
      images.map(async (image) => (await this.#config(reference, await image)).config.Labels),
    );
    const [first = {}, ...others] = found;
    return Object.fromEntries(
      Object.entries(first).filter(([name, value]) => others.every((each) => each[name] === value)),
    );
  }

  async #config(reference: Reference, { bytes, digest }: Manifest): Promise<ReadConfiguration> {
    const { config } = readManifest(reference.repository, bytes);
    if (!config) throw withoutConfiguration(reference.repository, digest);
    const { body } = await this.#http.request(reference, { method: 'GET', path: `blobs/${config.digest}` });
    if (digestOf(body) !== config.digest)
      throw new LockageError(`${reference.registry} sent a wrong image configuration`, { cause: new WrongContent() });
    return readConfiguration(reference.repository, body);
  }

  /**
   * Returns the digest that a tag points at now; undefined when there is no such tag. One request without a body. `mayBeNew`:
   * nothing was ever pushed there that is known. Many registries then refuse instead of saying so, and accept a push.
   */
  async tagDigest(repository: string, tag: string, mayBeNew = false): Promise<Digest | undefined> {
    const reference = await this.#reference(repository, `:${tag}`);
    const isLoggedIn = mayBeNew && (await this.#http.credentials(reference.registry)) !== undefined;
    const absent = isLoggedIn ? [404, 401, 403] : [404];
    const request = { method: 'HEAD', path: `manifests/${tag}`, headers: accept, accept: absent } as const;
    const { status, header } = await this.#http.request(reference, request);
    if (absent.includes(status)) return undefined;
    const digest = header('docker-content-digest') ?? '';
    return isDigest(digest) ? digest : this.resolve(repository, tag);
  }

  /** Returns whether the registry still has the manifest. */
  async exists(repository: string, digest: Digest): Promise<boolean> {
    const reference = await this.#reference(repository, `@${digest}`);
    const request = { method: 'HEAD', path: `manifests/${digest}`, headers: accept, accept: [404] } as const;
    return (await this.#http.request(reference, request)).status !== 404;
  }

  /**
   * Returns the bytes of an image as it is sent; of an index, which is several, what it is made of. Undefined when the
   * registry does not have it.
   */
  async size(
    repository: string,
    digest: Digest,
  ): Promise<{ readonly bytes?: number; readonly parts?: readonly Digest[] } | undefined> {
    const reference = await this.#reference(repository, `@${digest}`);
    const request = { method: 'GET', path: `manifests/${digest}`, headers: accept, accept: [404] } as const;
    const { status, body } = await this.#http.request(reference, request);
    if (status === 404) return undefined;
    const { config, layers, manifests } = readManifest(reference.registry, body);
    if (manifests) return { parts: manifests.map((each) => each.digest).filter(isDigest) };
    if (!config || !layers) return {};
    return { bytes: [config, ...layers].reduce((sum, { size }) => sum + size, 0) };
  }

  /** Returns the layers of an image, lowest first; of an index, those of the image for the platform. */
  async layers(repository: string, digest: Digest, platform?: string): Promise<readonly Layer[]> {
    let manifest = await this.manifest(repository, digest);
    if (indexTypes.includes(manifest.mediaType))
      manifest = await this.manifest(repository, chooseEntry(repository, manifest, platform));
    const { layers } = readManifest(repository, manifest.bytes);
    return (layers ?? []).map(({ digest: layer, size }) => ({ digest: layer, bytes: size }));
  }

  /** Returns an image with all that it is made of; of an index, the one for the platform, and the index as its root. */
  async parts(repository: string, digest: Digest, platform?: string): Promise<ImageParts> {
    const root = await this.manifest(repository, digest);
    const manifest = indexTypes.includes(root.mediaType)
      ? await this.manifest(repository, chooseEntry(repository, root, platform))
      : root;
    const { config, layers } = readManifest(repository, manifest.bytes);
    if (!config) throw withoutConfiguration(repository, digest);
    return { root, manifest, config, layers: layers ?? [] };
  }

  /**
   * Removes a manifest or index with all tags that point to it; does nothing when it is gone. Returns false where the registry
   * or this machine's login to it allows no deletion.
   */
  async remove(repository: string, digest: Digest): Promise<boolean> {
    const reference = await this.#reference(repository, `@${digest}`);
    const refused = [400, 401, 403, 405, 501];
    const request = { method: 'DELETE', path: `manifests/${digest}`, accept: [404, ...refused] } as const;
    return !refused.includes((await this.#http.request(reference, request)).status);
  }

  /** Returns a manifest or a blob as a stream, or a part of it that `headers` ask for, until `signal` aborts. */
  async stream(
    repository: string,
    request: {
      readonly method: 'GET' | 'HEAD';
      readonly kind: 'manifests' | 'blobs';
      readonly digest: Digest;
      readonly headers: Readonly<Record<string, string>>;
    },
    signal: AbortSignal,
  ): Promise<HttpStream> {
    const { method, kind, digest, headers } = request;
    const reference = await this.#reference(repository, `@${digest}`);
    return this.#http.stream(reference, { method, path: `${kind}/${digest}`, headers }, signal);
  }

  /** Returns the credentials for a pull in the form that an engine takes; undefined when there are none. Secret. */
  async registryAuthHeader(repository: string): Promise<string | undefined> {
    const { registry } = await this.#reference(repository);
    const credentials = await this.#http.pullCredentials(registry);
    if (!credentials) return undefined;
    const secret = 'username' in credentials ? credentials : { identitytoken: credentials.identityToken };
    return engineLogin({ ...secret, serveraddress: registry });
  }

  async #read(reference: Reference, tagOrDigest: string): Promise<Manifest> {
    const path = `manifests/${tagOrDigest}`;
    const { header, body } = await this.#http.request(reference, { method: 'GET', path, headers: accept });
    const digest = digestOf(body);
    const told = header('docker-content-digest') ?? '';
    // What it says by another hash, or in a header that was emptied on the way, cannot be compared.
    const named = isDigest(tagOrDigest) ? tagOrDigest : told;
    if (isDigest(named) && named !== digest) {
      throw new LockageError(`${reference.registry} sent ${shortDigest(digest)} for ${shortDigest(named)}`, {
        hint: 'The registry, or something between, changes what it stores: do not use it.',
        cause: new WrongContent(),
      });
    }
    const declared = (header('content-type') ?? '').split(';')[0]?.trim() ?? '';
    const mediaType = readManifest(reference.registry, body).mediaType ?? declared;
    if (![...indexTypes, ...manifestTypes].includes(mediaType)) {
      throw new LockageError(
        `${reference.repository}: ${tagOrDigest} is no image but ${mediaType || 'of no known type'}`,
      );
    }
    return { digest, mediaType, bytes: body };
  }
}

function chooseEntry(repository: string, index: Manifest, platform: string | undefined): Digest {
  const entries = indexEntries(index.bytes);
  const [, another] = entries;
  // An image alone need not name its platform, and its configuration says it.
  const isChosen = (entry: Described) =>
    platform === undefined || !entry.platform ? another === undefined : fits(entry, platform);
  const found = entries.find(isChosen);
  if (found && isDigest(found.digest)) return found.digest;
  const example = entries.map(platformOf).find((each) => each !== 'unknown') ?? 'linux/amd64';
  throw new LockageError(
    `${repository}@${shortDigest(index.digest)} has no image for ${platform ?? 'one platform alone'}`,
    {
      details: [`it has: ${entries.map(platformOf).join(', ') || 'none'}`],
      hint: `Choose one in lockage.yaml, as \`build: { platform: ${example} }\`, or release an image of another build.`,
    },
  );
}

function withoutConfiguration(repository: string, digest: Digest): LockageError {
  return new LockageError(`${repository}@${shortDigest(digest)} is no image: it has no configuration`);
}

/** Returns whether an image runs on a platform; `linux/arm64` stands for its variants, too. */
function fits(entry: Described, platform: string): boolean {
  return platformOf(entry) === platform || platformOf(entry).startsWith(`${platform}/`);
}

/**
 * Returns the images of an index, without attestations, which have an unknown platform. An image need not name its
 * own.
 */
function indexEntries(bytes: Buffer): readonly Described[] {
  const all = readManifest('the registry', bytes).manifests ?? [];
  const named = all.filter(({ platform }) => platform && platform.os !== 'unknown');
  return named.length > 0 ? named : all.filter(({ platform }) => !platform);
}

function platformOf({ platform }: Described): string {
  if (!platform) return 'unknown';
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
