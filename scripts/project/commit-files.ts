import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { fromGit, git, type GitPath, type Repository } from '../tools/git.ts';
import {
  bytesOf,
  everything,
  indexEntries,
  linkMode,
  moduleAt,
  moduleMode,
  variablesOf,
  type FileSource,
  type IndexEntry,
  type Wanted,
} from './file-source.ts';
import { pointersAmong } from './lfs.ts';

const programMode = '100755';

interface Place {
  readonly repository: Repository;
  /** where the files go */
  readonly into: string;
  /** a folder for git's index of them */
  readonly scratch: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * What a user's configuration must not bring in: hooks, a monitor of the folder, a part of the files, files elsewhere; nor line
 * ends and links of another system, as a commit has to be the same image whoever builds it.
 */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.sparseCheckout=false',
  'core.splitIndex=false',
  'core.autocrlf=false',
  'core.eol=lf',
  'core.symlinks=true',
].flatMap((setting) => ['-c', setting]);

/**
 * Returns the files of a commit. They are written as a checkout writes them, with its filters (LFS, line ends), through an
 * index of their own: `git archive` would leave out or rewrite what the attributes `export-ignore` and `export-subst` say.
 */
export async function commitFiles(place: Place, commit: string): Promise<FileSource> {
  const { repository, into, scratch, signal } = place;
  const index = join(scratch, `index-${randomUUID()}`);
  const env = { ...variablesOf(repository), GIT_WORK_TREE: into, GIT_INDEX_FILE: index };
  const run = (argv: readonly string[], input = '') => git([...settings, ...argv], { cwd: into, env, input, signal });
  await run(['read-tree', commit]);
  const entries = indexEntries(await run(['ls-files', '--stage', '-z']));
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  return {
    at: async (path) => {
      const entry = byPath.get(path);
      if (entry?.mode === moduleMode) return 'module';
      return entry?.mode === linkMode ? { link: await run(['cat-file', 'blob', entry.id]) } : undefined;
    },
    unpack: async (wanted) => {
      const files = entries.filter(({ mode, path }) => mode !== moduleMode && wanted.file(path));
      const paths = files.map(({ path }) => path);
      await run(['checkout-index', '-z', '--stdin'], paths.map((path) => `${path}\0`).join(''));
      await Promise.all(files.map((entry) => settle(into, entry)));
      const pointers = await pointersAmong({ into, paths, run, cached: true });
      return [...pointers, ...(await unpackModules(place, entries, wanted))];
    },
  };
}

/**
 * Gives a file the mode that the commit has, whatever the umask of who builds: images keep modes, and programs in them run as
 * somebody else. Throws LockageError where git did not write it: before 2.30 its exit code does not say that a filter failed.
 */
async function settle(into: string, { mode, path }: IndexEntry): Promise<void> {
  const file = bytesOf(into, path);
  const found = await lstat(file).catch(() => undefined);
  if (!found) throw new LockageError(`git did not write ${fromGit(path)} of the commit`);
  const wanted = mode === programMode ? 0o755 : 0o644;
  if (found.isFile() && (found.mode & 0o7777) !== wanted) await chmod(file, wanted);
}

async function unpackModules(
  place: Place,
  entries: readonly IndexEntry[],
  wanted: Wanted,
): Promise<readonly GitPath[]> {
  const pointers: GitPath[] = [];
  for (const entry of entries) {
    if (entry.mode !== moduleMode || !wanted.module(entry.path)) continue;
    const repository = await moduleAt(join(place.repository.top, fromGit(entry.path)), entry);
    const into = join(place.into, fromGit(entry.path));
    await mkdir(dirname(into), { recursive: true });
    await mkdir(into);
    const below = await (await commitFiles({ ...place, repository, into }, entry.id)).unpack(everything);
    pointers.push(...below.map((path) => `${entry.path}/${path}`));
  }
  return pointers;
}
