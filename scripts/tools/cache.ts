import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../infra/system/cache-folder.ts';
import { toolVersions } from '../../infra/system/tool-versions.ts';

/** Returns the path of the Docker plugin that set-up builds. */
export function cachedDockerPlugin(): string {
  return join(cacheFolder(), 'bin', `docker-plugin-${toolVersions.dockerPlugin}`, 'pulumi-resource-docker');
}

/** Returns the path of the Caddy that set-up builds for the edge image. */
export function cachedCaddy(): string {
  return join(cacheFolder(), 'bin', `caddy-${toolVersions.caddy}`, 'caddy');
}

/** Returns the folder with the programs of the newer Docker Engine that set-up builds for the lab's hosts. */
export function cachedEngine(): string {
  return join(cacheFolder(), 'bin', `engine-${toolVersions.engine}`);
}

/** Returns the lock file of a piece of work in the cache. */
export function cacheLock(name: string): string {
  return join(cacheFolder(), 'locks', name);
}

/** Returns the folder of the Lockage package, from its sources as well as from its bundle. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && /"name":\s*"lockage"/.test(readFileSync(manifest, 'utf8'))) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json of lockage above ${import.meta.url}`);
  }
}
