import { LockageError } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { EnvironmentHost } from '../../pipelines/model/target.ts';
import type { Session } from '../context/session.ts';
import { ensureImage, localName } from '../hosts/images.ts';
import { imageKey, type FoundationPlan } from '../programs/foundation-plan.ts';
import { parseReference, WrongContent, type RegistryClient } from '../registry/client.ts';

interface Use {
  readonly host: EnvironmentHost;
  readonly image: string;
}

interface Dependencies {
  readonly session: Pick<Session, 'connections' | 'bundle' | 'signal' | 'progress'>;
  readonly registry: RegistryClient;
  readonly standIn?: StandIn | undefined;
}

/**
 * Returns an image that may serve in place of one that cannot be had, by its digest; undefined where there is none. Throws
 * LockageError.
 */
export type StandIn = (image: string) => Promise<string | undefined>;

/**
 * The reference an image of the configuration stands for: a digest, or its tag where no registry has one, and why not.
 */
interface Pin {
  readonly reference: string;
  readonly failure?: LockageError;
}

/**
 * Makes sure that hosts have their edge and accessory images, by a digest that is fixed when an image is first used.
 * Returns the digests, and the names under which the hosts have them. Throws LockageError.
 */
export async function pinImages(
  dependencies: Dependencies,
  environment: Pick<Environment, 'registry' | 'emulates'>,
  uses: readonly Use[],
  known: Readonly<Record<string, string>>,
): Promise<Pick<FoundationPlan, 'images' | 'held'>> {
  const images: Record<string, string> = {};
  const held: Record<string, string> = {};
  for (const image of new Set(uses.map((use) => use.image))) {
    const hosts = uses.filter((use) => use.image === image).map(({ host }) => host);
    const pinned =
      (await findEarlierPin(dependencies, known[image], hosts)) ?? (await pin(dependencies.registry, image));
    // What was fixed once stays, whatever is away for a moment.
    const isFixed = known[image] !== undefined && parseReference(known[image]).digest !== undefined;
    const ways = isFixed ? { ...dependencies, standIn: undefined } : dependencies;
    const found = await ensureOrStandIn(ways, environment, { image, hosts }, pinned);
    images[image] = found.reference;
    for (const [host, name] of found.held) held[imageKey(host, image)] = name;
  }
  return { images, held };
}

/** The hosts that need an image. */
interface Uses {
  readonly image: string;
  readonly hosts: readonly EnvironmentHost[];
}

/** The reference that all hosts have an image by, and the names under which they have it: name of the host → that name. */
interface Ensured {
  readonly reference: string;
  readonly held: ReadonlyMap<string, string>;
}

/** Makes sure that all hosts have an image, or all of them what stands in for it. Throws LockageError. */
async function ensureOrStandIn(
  dependencies: Dependencies,
  environment: Pick<Environment, 'registry' | 'emulates'>,
  { image, hosts }: Uses,
  pinned: Pin,
): Promise<Ensured> {
  const ensure = async (wanted: Pin): Promise<Ensured> => {
    const found = hosts.map(
      async (host) => [host.name, await ensureOnHost(dependencies, environment, host, image, wanted)] as const,
    );
    return { reference: wanted.reference, held: new Map(await Promise.all(found)) };
  };
  try {
    return await ensure(pinned);
  } catch (failure) {
    if (!(failure instanceof LockageError) || dependencies.session.signal.aborted) throw failure;
    const reference = await dependencies.standIn?.(image);
    if (reference === undefined || reference === pinned.reference) throw failure;
    return ensure({ reference });
  }
}

/**
 * Returns what an image was pinned to before. One that was taken by its tag stays so while all its hosts have it: a
 * digest would replace what runs from it. Otherwise the caller asks the registry once more, which may only have been
 * away.
 */
async function findEarlierPin(
  { session }: Dependencies,
  reference: string | undefined,
  hosts: readonly EnvironmentHost[],
): Promise<Pin | undefined> {
  if (reference === undefined) return undefined;
  if (parseReference(reference).digest !== undefined) return { reference };
  const found = await Promise.all(
    hosts.map(async (host) => (await session.connections.engine(host)).inspectImage(reference)),
  );
  return found.every((image) => image !== undefined) ? { reference } : undefined;
}

async function pin(registry: RegistryClient, image: string): Promise<Pin> {
  const { repository, tag, digest } = parseReference(image);
  if (digest !== undefined) return { reference: `${repository}@${digest}` };
  try {
    return { reference: `${repository}@${await registry.resolve(repository, tag ?? 'latest')}` };
  } catch (failure) {
    // An image that was loaded into the engines by hand has no registry; `ensureOnHost` names a host without it.
    if (failure instanceof LockageError && !(failure.cause instanceof WrongContent)) {
      return { reference: image, failure };
    }
    throw failure;
  }
}

/** Returns the name by which the host has the image, and pulls it first where it is missing. */
async function ensureOnHost(
  dependencies: Dependencies,
  environment: Pick<Environment, 'registry' | 'emulates'>,
  host: EnvironmentHost,
  image: string,
  { reference, failure }: Pin,
): Promise<string> {
  const engine = await dependencies.session.connections.engine(host);
  const { repository, digest } = parseReference(reference);
  if (digest === undefined) {
    if (await engine.inspectImage(reference)) return reference;
    const elsewhere = 'it to a registry that the hosts reach, and name it with that registry.';
    throw new LockageError(`${host.name} does not have image ${image}, and no registry gives it`, {
      details: failure ? [failure.message, ...failure.details] : [],
      hint: failure?.hint ? `${failure.hint} Or push ${elsewhere}` : `Push ${elsewhere}`,
      cause: failure,
    });
  }
  const held = await localName(engine, { repository, digest });
  if (held !== undefined) return held;
  const bytes = await ensureImage(dependencies, environment, host, { repository, digest });
  dependencies.session.progress({ host: host.name, step: 'pulled', detail: image, bytes });
  return (await localName(engine, { repository, digest })) ?? reference;
}
