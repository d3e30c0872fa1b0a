import { rm } from 'node:fs/promises';
import {
  newestImage,
  nextImageVersion,
  refuseBuilt,
  type MachineImage,
} from '../../../pipelines/model/machine-image.ts';
import type { MachineSet } from '../../../pipelines/model/target.ts';
import type { CachedImage } from '../../machines/image/image.ts';
import { buildImage, imageFor } from '../../machines/machine.ts';
import type { Dependencies } from './dependencies.ts';

type Kind = MachineSet['kind'];

/**
 * Returns the digest of the newest image of a kind; where there is none, builds one of today's packages and records
 * it.
 */
export async function findOrBuildImage(dependencies: Dependencies, kind: Kind): Promise<string> {
  const images = await dependencies.records.machineImages();
  const newest = newestImage(images, kind);
  if (newest) return newest.digest;
  const today = await imageFor(dependencies.session.machines, kind);
  const recorded = await dependencies.records.changeMachineImages((now) =>
    // Another environment's first promotion may have waited for the same image.
    newestImage(now, kind) ? now : [...now, imageOf(dependencies, kind, nextImageVersion(now, kind), today)],
  );
  return newestImage(recorded, kind)?.digest ?? today.digest;
}

/** Builds an image of today's packages for machines of a kind, and records it. Throws LockageError. */
export async function buildAndRecord(dependencies: Dependencies, version: string, kind: Kind): Promise<MachineImage> {
  const image = await buildImage(dependencies.session.machines, kind);
  const recorded = recordImage(dependencies, imageOf(dependencies, kind, version, image));
  // A build takes minutes, in which another command may have finished one.
  return recorded.catch((error: unknown) => discardImage(image, error));
}

/** Removes an image that could not be recorded, as nobody could promote it. Throws the given error. */
async function discardImage({ folder }: CachedImage, error: unknown): Promise<never> {
  await rm(folder, { recursive: true, force: true });
  throw error;
}

function imageOf(
  { actor }: Dependencies,
  kind: Kind,
  version: string,
  { digest, contents }: CachedImage,
): MachineImage {
  const made = { builder: actor, createdAt: new Date().toISOString() };
  return { kind, version, digest, ...(contents ? { contents } : {}), ...made };
}

async function recordImage({ records }: Dependencies, image: MachineImage): Promise<MachineImage> {
  await records.changeMachineImages((images) => {
    refuseBuilt(images, image.kind, image.version);
    return [...images, image];
  });
  return image;
}
