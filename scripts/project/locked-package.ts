import { posix } from 'node:path';

const name = 'lockage';

/**
 * Returns why `npm ci` in a checkout of the repository does not bring Lockage, as sentences. `lock`: the project's
 * package-lock.json, if there is one; `folder`: of the project in its repository.
 */
export function lockNotes(lock: string | undefined, folder: string): string[] {
  const from = lock === undefined ? undefined : placeIn(lock);
  if (from === undefined)
    return [
      `no package-lock.json has ${name}, from which workflows install it: \`npm install --save-dev\` it, and commit that file`,
    ];
  const file = /^file:(.*)$/.exec(from)?.[1] ?? (/^[a-z+]+:/.test(from) ? undefined : from);
  if (file === undefined || isWithin(posix.join(folder, file))) return [];
  return [
    `${name} comes from ${file}, which is not in the repository: put the package there, as \`npm install --save-dev ./vendor/${posix.basename(file)}\``,
  ];
}

/** Returns where a package-lock.json says that Lockage comes from. */
function placeIn(lock: string): string | undefined {
  try {
    const { packages } = JSON.parse(lock) as { readonly packages?: Readonly<Record<string, Locked | undefined>> };
    return packages?.[`node_modules/${name}`]?.resolved;
  } catch {
    return undefined;
  }
}

interface Locked {
  readonly resolved?: string;
}

function isWithin(path: string): boolean {
  return !posix.isAbsolute(path) && path !== '..' && !path.startsWith('../');
}
