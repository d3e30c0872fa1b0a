import type { ArchivedEntry } from '../docker/api/types.ts';

type Entry = Pick<ArchivedEntry, 'path' | 'mode' | 'uid'>;

/** Returns what is wrong with the files of a volume; `user`: as whom the container that reads them runs. */
export function problemsOf(volume: string, entries: readonly Entry[], user?: string): string[] {
  return entries.flatMap(({ path, mode, uid }) => {
    const name = [volume, ...path.split('/').slice(1)].filter((part) => part !== '').join('/');
    const open = (mode & 0o077) !== 0 ? [`${name} is open to others (${mode.toString(8)})`] : [];
    const strange = user !== undefined && Number(user) !== uid ? [`${name} belongs to ${uid}, not to ${user}`] : [];
    return [...open, ...strange];
  });
}

/** Returns the files that should be in a folder of secrets and are not, and those that nobody put there. */
export function otherSecrets(entries: readonly Pick<Entry, 'path'>[], expected: readonly string[]): string[] {
  const found = entries.map(({ path }) => path.replace(/^[^/]*\/?/, '')).filter((name) => name !== '');
  return [
    ...expected.filter((name) => !found.includes(name)).map((name) => `${name} is missing`),
    ...found.filter((name) => !expected.includes(name)).map((name) => `${name} is not of this release`),
  ];
}
