import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { homeFolder } from './this-user.ts';

/** Returns the folder of a backend that is one, `file://…`; undefined for any other. `file://~` is in the user's home folder. */
export function backendFolder(backend: string): string | undefined {
  if (!backend.startsWith('file://')) return undefined;
  const home = 'file://~';
  return backend.startsWith(home) ? join(homeFolder(), backend.slice(home.length)) : fileURLToPath(backend);
}
