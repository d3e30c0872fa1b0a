/**
 * Engines that have the layers of base images when they start, as hosts have them that ran an earlier release. To pull
 * and unpack the images again for each host of each lab would be most of the work of making one.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { run, tryRun } from './command.ts';
import { cachedFolder, keep } from './image-cache.ts';
import type { BaseImage } from './images.ts';

/** What an engine keeps of images beside their layers, which lie in a folder named after its storage driver. */
const records = 'image';

export interface Layers {
  /** what there is is kept from an engine that has pulled the images */
  readonly ready: boolean;
  readonly folder: string;
}

/** The layers of these images in the form of this computer's version of the engine. */
export async function layersOf(images: readonly BaseImage[]): Promise<Layers> {
  const folder = await cachedFolder('lab-layers', images, await run(['dockerd', '--version']));
  return { ready: existsSync(path.join(folder, records)), folder };
}

/** Keeps what a stopped engine has in its folder `dataRoot`. */
export async function keepLayers({ folder }: Layers, dataRoot: string, driver: string): Promise<void> {
  await keep(folder, async (draft) => {
    await run(['cp', '-a', path.join(dataRoot, driver), path.join(dataRoot, records), draft], { timeout: 120_000 });
  });
}

/** Lays kept layers under an engine that has not started yet. */
export async function layLayers({ folder }: Layers, dataRoot: string): Promise<void> {
  await mkdir(dataRoot, { recursive: true });
  // An engine writes into no layer and replaces its records as whole files, so that links are as good as copies.
  const linked = await tryRun(['cp', '-al', `${folder}/.`, dataRoot], { timeout: 60_000 });
  if (linked === undefined) await run(['cp', '-a', `${folder}/.`, dataRoot], { timeout: 120_000 });
}
