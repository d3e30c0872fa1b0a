import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentOf, tarEntries } from '../../infra/system/tar-file.ts';
import { variablesFor } from '../../infra/system/environment.ts';
import {
  isSource,
  longestSource,
  packagesIn,
  type InstalledPackage,
} from '../../pipelines/model/evidence/bill-of-materials.ts';
import { mustRun, run } from '../tools/shell.ts';

/** Milliseconds that the engine has to write an image out. */
const exportTimeout = 10 * 60_000;
/** bytes of all files together that packages are read from */
const mostBytes = 256 * 1024 * 1024;

/**
 * Returns the packages that are installed in an image; undefined where the engine does not have it. The image is never
 * run: its files are read as a container that was never started has them. Throws LockageError.
 */
export async function imagePackages(
  image: string,
  signal: AbortSignal,
): Promise<readonly InstalledPackage[] | undefined> {
  const env = variablesFor('docker');
  const options = { env, signal, timeout: exportTimeout };
  // An image may have no command, and a container has to.
  const created = await run(
    ['docker', 'container', 'create', '--pull', 'never', '--network', 'none', image, '-'],
    options,
  );
  if (created.code !== 0) return undefined;
  const container = created.stdout.trim();
  const folder = await mkdtemp(join(tmpdir(), 'lockage-image-'));
  try {
    const archive = join(folder, 'image.tar');
    await mustRun('read the image', ['docker', 'container', 'export', '--output', archive, container], options);
    return packagesIn(await filesOf(archive));
  } finally {
    await run(['docker', 'container', 'rm', '--volumes', container], { env, timeout: exportTimeout });
    await rm(folder, { recursive: true, force: true });
  }
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
  } finally {
    await file.close();
  }
  return files;
}
