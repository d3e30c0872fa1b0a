import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Returns the folder for what Lockage keeps per user: programs that were built or downloaded, Pulumi's plugins,
 * images. It outlives a clone and is shared by all clones of a user.
 */
export function cacheFolder(): string {
  return process.env['LOCKAGE_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'lockage');
}
