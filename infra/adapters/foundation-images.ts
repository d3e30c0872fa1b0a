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
}

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
  const pins = new Map<string, Pin>();
  for (const image of new Set(uses.map((use) => use.image))) {
    const hosts = uses.filter((use) => use.image === image).map(({ host }) => host);
    pins.set(
      image,
      (await findEarlierPin(dependencies, known[image], hosts)) ?? (await pin(dependencies.registry, image)),
    );
  }
  const held = await Promise.all(
    uses.map(async ({ host, image }): Promise<[string, string]> => {
      const pinned = pins.get(image) ?? { reference: image };
      return [imageKey(host.name, image), await ensureOnHost(dependencies, environment, host, image, pinned)];
    }),
  );
  return {
    images: Object.fromEntries([...pins].map(([image, { reference }]) => [image, reference])),
    held: Object.fromEntries(held),
  };
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
