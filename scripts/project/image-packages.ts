import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { contentOf, tarEntries, TarError } from '../../infra/system/tar-file.ts';
import { variablesFor } from '../../infra/system/environment.ts';
import {
  isSource,
  longestSource,
  packagesIn,
  type FoundPackages,
  type InstalledPackage,
} from '../../pipelines/model/evidence/bill-of-materials.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { findSyft, syftPackages } from './syft.ts';
import { withTemporaryFolder } from '../tools/temporary-folder.ts';
import { mustRun, run, type CommandOptions } from '../tools/shell.ts';

/** Milliseconds that the engine has to write an image out. */
const exportTimeout = 10 * 60_000;
/** bytes of all files together that packages are read from */
const mostBytes = 256 * 1024 * 1024;

/** What reading an image may take from a command. */
interface Reading {
  readonly signal: AbortSignal;
  /** tells the operator something */
  readonly tell: (text: string) => void;
}

/**
 * Returns the packages that are installed in an image; undefined where the engine has none of that id. `ids`: hashes by which
 * engines name it. The image is never run. syft reads it where it is installed. Throws LockageError.
 */
export async function imagePackages(
  ids: readonly string[],
  { signal, tell }: Reading,
): Promise<FoundPackages | undefined> {
  const syft = findSyft();
  if (syft !== undefined) {
    try {
      return await readBySyft(syft, ids, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A release is worth more than a longer list of what is in it.
      tell(`what is in the image is read without syft: ${messageOf(error)}`);
    }
  }
  const packages = await readHere(ids, signal);
  return packages && { packages, tool: { name: 'lockage' } };
}

/** Throws LockageError where syft fails, or the engine cannot write the image out. */
function readBySyft(syft: string, ids: readonly string[], signal: AbortSignal): Promise<FoundPackages> {
  return withTemporaryFolder('lockage-image-', async (folder) => {
    const archive = join(folder, 'image.tar');
    const env = variablesFor('docker');
    let said = '';
    for (const id of new Set(ids)) {
      const words = ['docker', 'image', 'save', '--output', archive, id];
      const { code, stderr } = await run(words, { env, signal, timeout: exportTimeout });
      if (code === 0) return syftPackages(syft, archive, { folder, signal });
      said = stderr.trim();
    }
    throw new LockageError(`the engine does not write it out: ${said}`);
  });
}

/** Its files are read as a container that was never started has them. */
async function readHere(ids: readonly string[], signal: AbortSignal): Promise<readonly InstalledPackage[] | undefined> {
  const env = variablesFor('docker');
  const options = { env, signal, timeout: exportTimeout };
  const [first = ''] = ids;
  // One name for one image: what a killed command left goes with the next.
  const name = `lockage-packages-${fingerprint(first)}`;
  const remove = () =>
    run(['docker', 'container', 'rm', '--force', '--volumes', name], { env, timeout: exportTimeout });
  await remove();
  if (!(await isCreated(name, ids, options))) return undefined;
  try {
    return await withTemporaryFolder('lockage-image-', async (folder) => {
      const archive = join(folder, 'image.tar');
      await mustRun('read the image', ['docker', 'container', 'export', '--output', archive, name], options);
      return packagesIn(await filesOf(archive));
    });
  } finally {
    await remove();
  }
}

/** Creates a container of the first of these images that the engine has. */
async function isCreated(name: string, ids: readonly string[], options: CommandOptions): Promise<boolean> {
  for (const id of new Set(ids)) {
    // An image may have no command, and a container has to.
    const words = ['docker', 'container', 'create', '--pull', 'never', '--network', 'none', '--name', name, id, '-'];
    if ((await run(words, options)).code === 0) return true;
  }
  return false;
}

async function filesOf(archive: string): Promise<Map<string, string>> {
  const file = await open(archive);
  const files = new Map<string, string>();
  let bytes = 0;
  try {
    for await (const entry of tarEntries(file)) {
      if (!isSource(entry.path) || entry.size > longestSource) continue;
      bytes += entry.size;
      if (bytes > mostBytes) break;
      const parts: Buffer[] = [];
      for await (const part of contentOf(file, entry)) parts.push(part);
      files.set(entry.path, Buffer.concat(parts).toString('utf8'));
    }
  } catch (error) {
    if (!(error instanceof TarError)) throw error;
    throw new LockageError(`the engine wrote the image out in a way that is not known: ${error.message}`, {
      cause: error,
    });
  } finally {
    await file.close();
  }
  return files;
}
