/**
 * Layers of base images that engines have when they start, as hosts have them that ran an earlier release. Pulling and
 * unpacking the images for each host of each lab would be most of the work of making one.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { BaseImage } from '../setup/images/base-images.ts';
import { run, tryRun } from '../tools/command.ts';
import { cachedFolder, keepFolder } from './image-cache.ts';

/**
 * The folder where an engine keeps its data on images beside their layers, which are in a folder named after its
 * storage driver.
 */
const records = 'image';

/** A file that names the registry they came from. */
const origin = 'registry';

export interface Layers {
  /** an engine that pulled the images has left its layers in the folder */
  readonly ready: boolean;
  readonly folder: string;
}

/** Finds the layers of these images in the form that this computer's version of the engine uses. */
export async function layersOf(images: readonly BaseImage[]): Promise<Layers> {
  const folder = await cachedFolder('lab-layers', images, await run(['dockerd', '--version']));
  return { ready: existsSync(path.join(folder, records)), folder };
}

/**
 * Keeps the data in the folder `dataRoot` of a stopped engine, which pulled the images from `registry`. Keeps nothing
 * of an engine that leaves its images to containerd.
 */
export async function keepLayers({ folder }: Layers, dataRoot: string, driver: string, registry: string) {
  if (!existsSync(path.join(dataRoot, records, driver))) return;
  await keepFolder(folder, async (draft) => {
    await run(['cp', '-a', path.join(dataRoot, driver), path.join(dataRoot, records), draft], { timeout: 120_000 });
    await rm(path.join(draft, records, driver, 'repositories.json'), { force: true });
    await writeFile(path.join(draft, origin), registry);
  });
}

/** Puts kept layers into an engine that has not started yet, as if it had pulled them from `registry`. */
export async function addLayers({ folder }: Layers, dataRoot: string, registry: string): Promise<void> {
  await mkdir(dataRoot, { recursive: true });
  for (const name of (await readdir(folder)).filter((found) => found !== origin)) {
    const copy = (way: string) => ['cp', way, path.join(folder, name), dataRoot];
    // An engine never writes into a layer, so links are as good as copies, where they can be made.
    const linked = name !== records && (await tryRun(copy('-al'), { timeout: 60_000 })) !== undefined;
    if (!linked) await run(copy('-a'), { timeout: 120_000 });
  }
  // An engine packs and pushes again what it does not know to be in a registry already.
  const before = await readFile(path.join(folder, origin), 'utf8');
  const [driver = ''] = await readdir(path.join(dataRoot, records));
  const sources = path.join(dataRoot, records, driver, 'distribution/v2metadata-by-diffid/sha256');
  for (const name of await readdir(sources)) {
    const file = path.join(sources, name);
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(before, registry));
  }
}
