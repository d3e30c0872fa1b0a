// Pulumi's own releases. A machine that cannot reach them is told from a slow one within ten seconds.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { webFetch } from '../../infra/system/web-fetch.ts';
import { run } from './command.ts';
import { StepError } from './step.ts';

/** The address where Pulumi publishes its command line. */
export const officialReleases = 'https://get.pulumi.com/releases';
const answersWithin = 10_000;
/** Bytes of a list of sums, and of an archive, which has 150 MB today. */
const longestList = 2 ** 20;
const largestArchive = 2 ** 30;

/** Returns whether the address answers, without fetching what is behind it. */
export async function isReachable(url: string): Promise<boolean> {
  const answer = await webFetch(url, { method: 'HEAD', signal: AbortSignal.timeout(answersWithin) }).catch(
    () => undefined,
  );
  return answer?.ok ?? false;
}

/**
 * Puts an official Pulumi CLI into `folder` after checking its checksum. Returns false if the releases cannot be
 * reached; a wrong checksum is an error, never a reason to go on.
 */
export async function downloadPulumi(version: string, folder: string, releases = officialReleases): Promise<boolean> {
  const name = `pulumi-v${version}-${process.platform}-${process.arch}.tar.gz`;
  const sums = await webFetch(`${releases}/sdk/pulumi-${version}-checksums.txt`, {
    signal: AbortSignal.timeout(answersWithin),
  }).then(
    (answer) => (answer.ok ? shortText(answer) : undefined),
    () => undefined,
  );
  const expected = sums
    ?.split('\n')
    .map((line) => line.trim().split(/\s+\*?/))
    .find(([, file]) => file === name)?.[0];
  if (expected === undefined) return false;

  const archive = `${folder}.${process.pid}.tar.gz`;
  const draft = `${folder}.${process.pid}`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    const actual = await fetchTo(`${releases}/sdk/${name}`, archive);
    if (actual === undefined) return false;
    if (actual !== expected) {
      throw new StepError(
        `${releases}/sdk/${name} has the SHA-256 sum ${actual}, published is ${expected}`,
        'try again; if it stays so, something between this machine and Pulumi changes downloads: do not use them.',
      );
    }
    await mkdir(draft, { recursive: true });
    await run(['tar', '-xzf', archive, '-C', draft, '--strip-components', '1']);
    await rm(folder, { recursive: true, force: true });
    await rename(draft, folder);
    return true;
  } finally {
    await rm(archive, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

/** Returns the text of an answer; undefined where it breaks off, or is no list of sums by its length. */
async function shortText({ body }: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body ?? []) {
      size += chunk.length;
      if (size > longestList) return undefined;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } catch {
    return undefined;
  }
}

async function fetchTo(url: string, file: string): Promise<string | undefined> {
  const answer = await webFetch(url, { signal: AbortSignal.timeout(600_000) }).catch(() => undefined);
  if (!answer?.ok || answer.body === null) return undefined;
  const hash = createHash('sha256');
  await pipeline(
    Readable.fromWeb(answer.body),
    async function* (chunks: AsyncIterable<Uint8Array>) {
      let size = 0;
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > largestArchive)
          throw new StepError(`${url} is larger than ${largestArchive} bytes`, 'try again later.');
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(file),
  );
  return hash.digest('hex');
}
