import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks once, on a connection of its own, which version answers; returns undefined for anything but a good answer in
 * time.
 */
export async function versionAt(url: string, timeout: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const call = request(url, { agent: false, timeout }, (response) => {
      const version = response.headers['x-version'];
      response.resume();
      response.on('end', () =>
        resolve(response.statusCode === 200 && typeof version === 'string' ? version : undefined),
      );
      response.on('error', () => resolve(undefined));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}

/**
 * Asks all urls every ten milliseconds, and returns the time (of `performance.now()`) at which the last of them first
 * answered with the version. Throws when that takes longer than `timeout`, or when the signal aborts.
 */
export async function untilAllAnswer(
  urls: readonly string[],
  version: string,
  { timeout, signal }: { timeout: number; signal: AbortSignal },
): Promise<number> {
  const both = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  const times = await Promise.all(
    urls.map(async (url) => {
      while ((await versionAt(url, 2000)) !== version) await sleep(10, undefined, { signal: both });
      return performance.now();
    }),
  );
  return Math.max(...times);
}
