import { join, resolve } from 'node:path';
import { fullPath, homeFolder } from './this-user.ts';

/**
 * Returns the folder for what Lockage keeps per user: programs that were built or downloaded, Pulumi's plugins,
 * images. It outlives a clone and is shared by all clones of a user.
 */
export function cacheFolder(): string {
  const own = process.env['LOCKAGE_CACHE'];
  if (own) return resolve(own);
  return join(fullPath(process.env['XDG_CACHE_HOME']) ?? join(homeFolder(), '.cache'), 'lockage');
}
