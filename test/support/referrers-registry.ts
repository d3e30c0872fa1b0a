import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { goBuild } from '../../scripts/setup/go-build.ts';
import { withLock } from '../../scripts/setup/lock.mjs';
import { cacheLock, packageRoot } from '../../scripts/tools/cache.ts';

const source = 'test/support/referrers-registry';

/** Addresses of registries: see `main.go` of the folder beside this file. */
export type ReferrersPlaces = Readonly<Record<'old' | 'new' | 'late' | 'paged' | 'other', string>>;

/** Real registries with the API for referrers, in one process, empty; built from their Go modules the first time, in seconds. */
export class ReferrersRegistry {
  readonly at: ReferrersPlaces;
  readonly #process: ChildProcess;

  private constructor(at: ReferrersPlaces, process: ChildProcess) {
    this.at = at;
    this.#process = process;
  }

  static async start(): Promise<ReferrersRegistry> {
    const process = spawn(await built(), { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface(process.stdout);
    const [line] = (await once(lines, 'line')) as [string];
    return new ReferrersRegistry(JSON.parse(line) as ReferrersPlaces, process);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    // It ends with its input, also where the test was killed.
    this.#process.stdin?.end();
    await ended;
  }
}

async function built(): Promise<string> {
  const files = ['main.go', 'go.mod', 'go.sum'].map((name) => readFileSync(join(packageRoot(), source, name), 'utf8'));
  const out = join(cacheFolder(), 'bin', `referrers-registry-${fingerprint(files)}`);
  return withLock(cacheLock('referrers-registry'), async () => {
    const instead = 'leave out this test';
    if (!existsSync(out)) await goBuild({ module: source, source: '.', out, instead }, () => undefined);
    return out;
  });
}
