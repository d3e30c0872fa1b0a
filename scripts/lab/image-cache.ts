/** Files that take long to make from base images, kept in the cache by the images' ids until the images change. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { baseImages, type BaseImage } from '../setup/images/base-images.ts';
import { run } from '../tools/command.ts';

const keptFor = 24 * 3_600_000;

/** Returns the folder for one kind of files made from these images; it exists once `keepFolder` has made it. */
export async function cachedFolder(kind: string, images: readonly BaseImage[], ...parts: string[]): Promise<string> {
  const names = images.map((image) => baseImages[image]);
  const ids = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', ...names]);
  const key = createHash('sha256')
    .update([ids, ...parts].join('\n'))
    .digest('hex')
    .slice(0, 16);
  return path.join(cacheFolder(), kind, key);
}

/** Has `fill` make the folder, whole or not at all. Folders of the same kind that are over a day old are removed. */
export async function keepFolder(folder: string, fill: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${folder}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  await fill(draft);
  // Another lab may have been faster; its copy is as good.
  await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
  for (const name of await readdir(path.dirname(folder))) {
    const other = path.join(path.dirname(folder), name);
    const age = Date.now() - ((await stat(other).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (other !== folder && age > keptFor) await rm(other, { recursive: true, force: true });
  }
}
