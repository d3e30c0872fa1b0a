/**
 * A load generator that shows whether anybody noticed a change: a constant rate of requests, whatever the answers
 * take (so a stall shows as latency and not as fewer requests), sent from a thread of its own.
 *
 * A request has failed when its answer is not a complete 200 or does not come. One thing is forgiven, as every browser
 * and proxy forgives it (RFC 9110, 9.2.2): a kept connection that the server had closed just before it was used
 * again. Such a request is repeated once on a new connection and counted as `retried`; it must have been refused
 * within `closedRace` and without a byte of an answer, so a request lost in a dying server stays a failure.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type * as Esbuild from 'esbuild';
import { packageRoot } from '../tools/cache.ts';

const startTimeout = 10_000;

export interface LoadOptions {
  readonly urls: readonly string[];
  /** requests a second, over all urls together */
  readonly rate: number;
  /** `both` sends every other request on a connection of its own */
  readonly connections: 'keep-alive' | 'new' | 'both';
  /** long requests beside the others, to each URL in turn */
  readonly slow?: { readonly path: string; readonly everyMs: number };
  readonly headers?: Readonly<Record<string, string>>;
  /** milliseconds until a request counts as lost; 10 s by default, and never less than a slow one needs */
  readonly timeout?: number;
}

export interface LoadStats {
  readonly sent: number;
  readonly ok: number;
  readonly failed: number;
  /** repeated because a kept connection was closed under it; these are in `ok` or `failed`, too */
  readonly retried: number;
  readonly slow: { readonly sent: number; readonly ok: number };
  /** kind (`status 502`, `ECONNREFUSED`, `timeout`, `cut off`, …) → count */
  readonly errors: Readonly<Record<string, number>>;
  /** the first failures, with the time they were seen (ms since 1970) */
  readonly failures: readonly { readonly at: number; readonly url: string; readonly kind: string }[];
  /** url → version → when answers with it came, ms since 1970 */
  readonly versionsSeen: Readonly<Record<string, Readonly<Record<string, VersionSeen>>>>;
  /** url → version in the answer to the request that was sent last */
  readonly current: Readonly<Record<string, string>>;
  /** ms from the moment a request was due to its complete answer; slow requests are not in it */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface VersionSeen {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export interface Load {
  /** the numbers of at most a tenth of a second ago */
  stats(): LoadStats;
  /** resolves when the latest answers of these URLs (all by default) carry the version */
  waitUntilVersion(version: string, urls?: readonly string[], timeout?: number): Promise<void>;
  /** sends nothing more, waits for the answers still to come, and returns the final numbers */
  stop(): Promise<LoadStats>;
}

/** Starts sending. Resolves when the first requests are on their way. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const worker = await startWorker(options);
  let latest: LoadStats | undefined;
  let broken: Error | undefined;
  const finished = new Promise<LoadStats>((resolve, reject) => {
    worker.on('message', (message: { stats: LoadStats; final: boolean }) => {
      latest = message.stats;
      if (message.final) resolve(message.stats);
    });
    worker.on('error', (error: Error) => {
      broken = error;
      reject(error);
    });
  });
  finished.catch(() => undefined);
  const stats = () => {
    if (broken) throw broken;
    if (!latest) throw new Error('the load has not started');
    return latest;
  };
  await once(worker, 'message', { signal: AbortSignal.timeout(startTimeout) });
  // From here on it runs as long as its caller, and no longer.
  worker.unref();
  return {
    stats,
    waitUntilVersion: (version, urls = options.urls, timeout = 60_000) => waitFor(stats, version, urls, timeout),
    stop: async () => {
      worker.ref();
      worker.postMessage('stop', []);
      const final = await finished;
      await worker.terminate();
      return final;
    },
  };
}

async function waitFor(
  stats: () => LoadStats,
  version: string,
  urls: readonly string[],
  timeout: number,
): Promise<void> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const { current } = stats();
    if (urls.every((url) => current[url] === version)) return;
    if (Date.now() > deadline) {
      const found = urls.map((url) => `${url} answers ${current[url] ?? 'nothing'}`).join(', ');
      throw new Error(`${version} was not seen everywhere within ${timeout / 1000} s: ${found}`);
    }
    await sleep(20);
  }
}

// Bundled, the thread's program is in dist/; from the sources it is bundled now.
async function startWorker(options: LoadOptions): Promise<Worker> {
  if (!import.meta.url.endsWith('.ts')) {
    const program = join(packageRoot(), 'dist', 'load-worker.mjs');
    if (existsSync(program)) return new Worker(program, { workerData: options });
    throw new Error(`${program} is missing: run \`npm run build\``);
  }
  // In a variable, so that the bundle does not require a development tool.
  const bundler = 'esbuild';
  const { build } = (await import(bundler)) as typeof Esbuild;
  const bundled = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    logLevel: 'error',
  });
  return new Worker(bundled.outputFiles[0]?.text ?? '', { eval: true, workerData: options });
}
