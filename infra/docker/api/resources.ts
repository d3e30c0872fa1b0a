import { familiarName, fullName } from '../../registry/reference.ts';
import { answers } from './answers.ts';
import { EngineApi } from './api.ts';
import { EngineError } from './errors.ts';
import { checkedName, imagePath, segment } from './names.ts';
import { failureIn, readPull } from './pull.ts';
import { list as listOf } from '../../system/shapes.ts';
import type {
  CallOptions,
  ImageDetails,
  ImageUse,
  NamedImage,
  NetworkBody,
  NetworkDetails,
  PullOptions,
  VolumeBody,
  VolumeDetails,
} from './types.ts';

/** Milliseconds for an image to be sent and unpacked: it may be large, and the disk slow. */
const loadTimeout = 3600_000;
/** Milliseconds within which the next part of an image has to come. */
const saveSilence = 120_000;

/** The images, networks and volumes of an engine. Nothing is ever pruned; each removal names its object. */
export class EngineResources extends EngineApi {
  /** Returns undefined when the host does not have the image. */
  async inspectImage(ref: string, options: CallOptions = {}): Promise<ImageDetails | undefined> {
    return this.find<ImageDetails>(`inspect image ${ref}`, `/images/${imagePath(ref)}/json`, options, answers.image);
  }

  /** Pulls `repository@digest` and returns the bytes that were downloaded, 0 when the host had all layers. */
  async pull(repository: string, digest: string, options: PullOptions = {}): Promise<{ bytes: number }> {
    const what = `pull ${repository}@${digest}`;
    const idleTimeout = options.idleTimeout ?? 120_000;
    const response = await this.transport.stream({
      what,
      method: 'POST',
      path: `${await this.prefix({ signal: options.signal })}/images/create`,
      query: { fromImage: repository, tag: digest, platform: options.platform },
      headers: options.auth === undefined ? {} : { 'X-Registry-Auth': options.auth },
      // the headers of the answer come only once the engine has the manifest
      deadline: idleTimeout,
      signal: options.signal,
    });
    try {
      return { bytes: await readPull(this.host, what, response, { idleTimeout, onProgress: options.onProgress }) };
    } catch (error) {
      throw options.signal?.aborted ? options.signal.reason : error;
    }
  }

  /** Takes an image in from an archive of any size, as `docker load` does. Throws EngineError. */
  async loadImage(name: string, upload: () => AsyncIterable<Buffer>, options: CallOptions = {}): Promise<void> {
    const what = `load image ${name}`;
    const call = { query: { quiet: true }, upload, deadline: loadTimeout, ...options };
    const { body } = await this.call(what, 'POST', '/images/load', call);
    const failure = failureIn(body);
    if (failure !== undefined) throw new EngineError(this.host, what, failure);
  }

  /** Yields an image as an archive, as `docker save` writes it. Throws EngineError. */
  async *saveImage(ref: string, { signal }: Pick<CallOptions, 'signal'> = {}): AsyncGenerator<Buffer> {
    const path = `${await this.prefix({ signal })}/images/${imagePath(ref)}/get`;
    // The engine gathers the layers before its first byte.
    const call = { what: `save image ${ref}`, method: 'GET', path, signal, deadline: loadTimeout } as const;
    yield* this.transport.chunks(call, saveSilence);
  }

  /** Adds a name to an image that the host has. Another image with that name loses it. */
  async tagImage(ref: string, { repository, tag }: { repository: string; tag: string }): Promise<void> {
    const query = { repo: repository, tag };
    await this.call(`tag image ${ref}`, 'POST', `/images/${imagePath(ref)}/tag`, { query });
  }

  /**
   * Lists the images of a repository, as `repository@digest` and `repository:tag`. `*` stands for part of a path
   * segment.
   */
  async listImages(repository: string, options: CallOptions = {}): Promise<string[]> {
    const name = familiarName(repository);
    const query = { filters: JSON.stringify({ reference: [name] }), digests: true };
    const images = await this.json<ImageNames[]>(
      'list images',
      'GET',
      '/images/json',
      { query, ...options },
      listOf(answers.listedImage),
    );
    const wanted = new RegExp(`^${fullName(name).split('*').map(literally).join('[^/]*')}[@:][^/]+$`);
    return images.flatMap(namesOf).filter((ref) => wanted.test(ref));
  }

  /** Returns the disk use of images. The engine measures containers and volumes with it, so it may take a while. */
  async imageUse(options: CallOptions = {}): Promise<ImageUse> {
    const what = 'ask what the images take';
    const found = await this.json<DiskUse>(what, 'GET', '/system/df', options, answers.diskUse);
    return {
      bytes: found.LayersSize ?? 0,
      references: (found.Images ?? []).flatMap(namesOf),
    };
  }

  /** Lists all images that have a name, each once. */
  async namedImages(options: CallOptions = {}): Promise<NamedImage[]> {
    const call = { query: { digests: true }, ...options };
    const images = await this.json<ListedImage[]>(
      'list images',
      'GET',
      '/images/json',
      call,
      listOf(answers.listedImage),
    );
    return images.map((image) => ({ id: image.Id, bytes: image.Size, names: namesOf(image) }));
  }

  /** Returns the bytes of volumes, by their names, as far as the engine measures them. It may take a while. */
  async volumeUse(options: CallOptions = {}): Promise<ReadonlyMap<string, number>> {
    const found = await this.json<DiskUse>('ask what the volumes take', 'GET', '/system/df', options, answers.diskUse);
    const sizes = (found.Volumes ?? []).map(({ Name, UsageData }) => [Name, UsageData?.Size ?? -1] as const);
    return new Map(sizes.filter(([, bytes]) => bytes >= 0));
  }

  /** Removes an image; does nothing when it is absent. The engine refuses one that a container uses. */
  async removeImage(ref: string, options: CallOptions = {}): Promise<void> {
    await this.call(`remove image ${ref}`, 'DELETE', `/images/${imagePath(ref)}`, { accept: [404], ...options });
  }

  async inspectNetwork(name: string, options: CallOptions = {}): Promise<NetworkDetails | undefined> {
    return this.find<NetworkDetails>(`inspect network ${name}`, `/networks/${segment(name)}`, options, answers.network);
  }

  /** Creates a network and returns its id. A second network of that name is refused (409). */
  async createNetwork(name: string, body: NetworkBody = {}, options: CallOptions = {}): Promise<string> {
    const content = { CheckDuplicate: true, ...body, Name: checkedName(name) };
    const rest = { body: content, ...options };
    return (
      await this.json<{ Id: string }>(`create network ${name}`, 'POST', '/networks/create', rest, answers.created)
    ).Id;
  }

  /** Removes a network; does nothing when it is absent. The engine refuses one that has containers. */
  async removeNetwork(name: string, options: CallOptions = {}): Promise<void> {
    try {
      await this.call(`remove network ${name}`, 'DELETE', `/networks/${segment(name)}`, { accept: [404], ...options });
    } catch (error) {
      // A manager answers this when its swarm has released the network meanwhile.
      if (!(error instanceof EngineError) || !/network \S+ not found/.test(error.reason)) throw error;
    }
  }

  /** Lists the names of networks that carry all the labels: the engine's own ones, or those of its swarm. */
  async listNetworks(
    labels: Readonly<Record<string, string>>,
    options: CallOptions & { readonly scope?: 'local' | 'swarm' } = {},
  ): Promise<string[]> {
    const { scope, ...rest } = options;
    const call = { query: { filters: labelFilter(labels, scope ? { scope: [scope] } : {}) }, ...rest };
    const networks = await this.json<{ Name: string }[]>(
      'list networks',
      'GET',
      '/networks',
      call,
      listOf(answers.network),
    );
    return networks.map(({ Name }) => Name);
  }

  /** Returns the subnets of all networks that are no part of a swarm: name → subnets. */
  async subnets(options: CallOptions = {}): Promise<ReadonlyMap<string, readonly string[]>> {
    const query = { filters: JSON.stringify({ scope: ['local'] }) };
    const found = await this.json<AddressedNetwork[]>(
      'list networks',
      'GET',
      '/networks',
      { query, ...options },
      listOf(answers.network),
    );
    return new Map(found.map(({ Name, IPAM }) => [Name, (IPAM?.Config ?? []).flatMap(({ Subnet }) => Subnet ?? [])]));
  }

  /** Lists the networks that carry a label, whatever its value. */
  async networksWith(label: string, options: CallOptions = {}): Promise<LabelledObject[]> {
    const query = { filters: JSON.stringify({ label: [label] }) };
    const found = await this.json<LabelledNetwork[]>(
      'list networks',
      'GET',
      '/networks',
      { query, ...options },
      listOf(answers.network),
    );
    return found.map(({ Labels, Created }) => ({ labels: Labels ?? {}, createdAt: Created ?? '' }));
  }

  /** Lists the volumes that carry a label, whatever its value. */
  async volumesWith(label: string, options: CallOptions = {}): Promise<LabelledObject[]> {
    const { volumes } = await this.#volumes(JSON.stringify({ label: [label] }), options);
    return volumes.map(({ Labels, CreatedAt }) => ({ labels: Labels ?? {}, createdAt: CreatedAt ?? '' }));
  }

  async inspectVolume(name: string, options: CallOptions = {}): Promise<VolumeDetails | undefined> {
    return this.find<VolumeDetails>(`inspect volume ${name}`, `/volumes/${segment(name)}`, options, answers.volume);
  }

  /** Creates a volume; keeps an existing one of that name as it is. */
  async createVolume(name: string, body: VolumeBody = {}, options: CallOptions = {}): Promise<void> {
    const content = { ...body, Name: checkedName(name) };
    await this.call(`create volume ${name}`, 'POST', '/volumes/create', { body: content, ...options });
  }

  /** Removes a volume; does nothing when it is absent. The engine refuses one that a container uses. */
  async removeVolume(name: string, options: CallOptions = {}): Promise<void> {
    await this.call(`remove volume ${name}`, 'DELETE', `/volumes/${segment(name)}`, { accept: [404], ...options });
  }

  /** Lists the volumes that carry all the labels. */
  async listVolumes(labels: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<VolumeDetails[]> {
    return (await this.#volumes(labelFilter(labels), options)).volumes;
  }

  /** Lists the volumes whose names begin like this, with the time of the engine's own clock. */
  async volumesNamed(
    beginning: string,
    options: CallOptions = {},
  ): Promise<{ volumes: VolumeDetails[]; /** milliseconds since 1970 */ now: number }> {
    // The engine looks for it anywhere in a name.
    const { volumes, now } = await this.#volumes(JSON.stringify({ name: [checkedName(beginning)] }), options);
    return { volumes: volumes.filter(({ Name }) => Name.startsWith(beginning)), now };
  }

  async #volumes(filters: string, options: CallOptions): Promise<{ volumes: VolumeDetails[]; now: number }> {
    const what = 'list volumes';
    const answer = await this.call(what, 'GET', '/volumes', { query: { filters }, ...options });
    const { Volumes } = this.parsed<{ Volumes?: VolumeDetails[] | null }>(what, answer, answers.volumes);
    return { volumes: Volumes ?? [], now: answer.time };
  }
}

/** What carries a label, and since when (RFC 3339). */
interface LabelledObject {
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
}

interface LabelledNetwork {
  readonly Labels?: Record<string, string> | null;
  readonly Created?: string;
}

interface AddressedNetwork {
  readonly Name: string;
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null } | null;
}

interface ImageNames {
  readonly RepoDigests?: readonly string[] | null;
  readonly RepoTags?: readonly string[] | null;
}

interface DiskUse {
  readonly LayersSize?: number | null;
  readonly Images?: readonly ImageNames[] | null;
  readonly Volumes?: readonly { readonly Name: string; readonly UsageData?: { readonly Size: number } | null }[] | null;
}

interface ListedImage extends ImageNames {
  readonly Id: string;
  readonly Size: number;
}

function namesOf({ RepoDigests, RepoTags }: ImageNames): string[] {
  return [...(RepoDigests ?? []), ...(RepoTags ?? [])].map(fullName);
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Returns the filter for a list: all the labels, and any other conditions. */
export function labelFilter(labels: Readonly<Record<string, string>>, others: object = {}): string {
  return JSON.stringify({ label: Object.entries(labels).map(([key, value]) => `${key}=${value}`), ...others });
}
