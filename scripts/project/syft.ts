/*
 * syft (https://github.com/anchore/syft), where it is installed, knows more kinds of packages than Lockage does. It reads the
 * archive of an image, which is never run, and writes CycloneDX; of that, what a bill needs is taken.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../infra/system/find-program.ts';
import { LockageError } from '../../pipelines/errors.ts';
import { packagesInBill, type FoundPackages } from '../../pipelines/model/evidence/bill-of-materials.ts';
import { mustRun } from '../tools/shell.ts';

/** Milliseconds that it has for an image of gigabytes. */
const scanTimeout = 10 * 60_000;
/** bytes of what it writes */
const longestOutput = 128 * 1024 * 1024;

/** Returns the path of syft; undefined where it is not installed. */
export function findSyft(): string | undefined {
  return findProgram('syft');
}

/** Returns what syft finds in an image. `archive`: as `docker image save` writes it; `folder`: for files. Throws LockageError. */
export async function syftPackages(
  syft: string,
  archive: string,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<FoundPackages> {
  const out = join(folder, 'syft.json');
  const words = [syft, 'scan', `docker-archive:${archive}`, '--quiet', '--output', `cyclonedx-json=${out}`];
  // A release must not ask other servers what it has not asked before.
  // What it unpacks goes with the folder, also where it is killed.
  const env = { SYFT_CHECK_FOR_APP_UPDATE: 'false', TMPDIR: folder };
  await mustRun('read the image with syft', words, { env, cwd: folder, signal, timeout: scanTimeout });
  return packagesInBill(await textOf(out));
}

async function textOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > longestOutput) throw new LockageError(`syft wrote ${size} bytes, more than ${longestOutput}`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
