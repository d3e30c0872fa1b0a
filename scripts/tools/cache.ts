import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What set-up provides, at which version. */
export const versions = { pulumi: '3.256.0', dockerPlugin: '5.2.0', caddy: '2.11.2' } as const;

/** The oldest Pulumi CLI that is used when one is installed. */
export const oldestPulumi = '3.181.0';

/** Where built and downloaded programs stay: they outlive a clone and are shared by all clones of a user. */
export function cacheDir(): string {
  return process.env.LOCKAGE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lockage');
}

/** Pulumi's own folder (plugins, templates) as Lockage uses it, apart from the user's `~/.pulumi`. */
export function pulumiHome(): string {
  return join(cacheDir(), 'pulumi-home');
}

/** Where set-up puts its own Pulumi CLI. */
export function cachedPulumi(): string {
  return join(cacheDir(), 'bin', `pulumi-${versions.pulumi}`, 'pulumi');
}

/** Where set-up puts the Docker plugin that it builds. */
export function cachedDockerPlugin(): string {
  return join(cacheDir(), 'bin', `docker-plugin-${versions.dockerPlugin}`, 'pulumi-resource-docker');
}

/** Where set-up puts the Caddy that it builds for the edge image. */
export function cachedCaddy(): string {
  return join(cacheDir(), 'bin', `caddy-${versions.caddy}`, 'caddy');
}

/** The lock file of a piece of work in the cache. */
export function cacheLock(name: string): string {
  return join(cacheDir(), 'locks', name);
}

/** The folder of the Lockage package, from its sources as well as from its bundle. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && /"name":\s*"lockage"/.test(readFileSync(manifest, 'utf8'))) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json of lockage above ${import.meta.url}`);
  }
}
