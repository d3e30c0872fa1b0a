import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { runToEnd } from '../../infra/system/process.ts';

/** Milliseconds that a program may take to be built, the first time. */
export const buildTime = 30 * 60_000;

/** Returns the path of a program of others, built from its Go module the first time: minutes of a processor. */
export async function goProgram(name: string, source: string, version: string, setVersion?: string): Promise<string> {
  const folder = join(cacheFolder(), name);
  const program = join(folder, `${name}-${version}`);
  if (existsSync(program)) return program;
  const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' };
  const linker = `-s -w${setVersion === undefined ? '' : ` -X ${setVersion}=${version}`}`;
  const words = ['install', '-trimpath', `-ldflags=${linker}`, `${source}@v${version}`];
  const { code, stderr } = await runToEnd('go', words, buildTime, { env });
  if (code !== 0) throw new Error(`${name} is not built: ${stderr.slice(-2000)}`);
  await rename(join(folder, name), program);
  return program;
}
