import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LockageError, messageOf } from '../../pipelines/errors.ts';

/** Bytes of a seed file: more than that belongs into the image of a database that was restored once. */
const largestSeed = 256 * 2 ** 20;

/** Reads the seed of an accessory. `file`: from the project's folder. Throws LockageError that names its key. */
export async function readSeed(root: string, accessory: string, file: string): Promise<Buffer> {
  const path = resolve(root, file);
  const key = `\`accessories.${accessory}.seed.file\``;
  try {
    const { size } = await stat(path);
    if (size > largestSeed) {
      throw new LockageError(`${file}, of ${key}, is larger than ${largestSeed / 2 ** 20} MiB`, {
        hint: `Write \`accessories.${accessory}.seed.command\`, which loads it in the release's image.`,
      });
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof LockageError) throw error;
    throw new LockageError(`${file}, of ${key}, cannot be read: ${messageOf(error)}`, {
      hint: 'Its path begins at the folder of lockage.yaml.',
    });
  }
}
