import { randomUUID } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { fromGit, git, type GitPath, type Repository } from '../tools/git.ts';
import {
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

interface Place {
  readonly repository: Repository;
  /** where the files go */
  readonly into: string;
  /** a folder for git's index of them */
  readonly scratch: string;
  readonly signal: AbortSignal | undefined;
}

/** What a user's configuration must not bring in: hooks, a monitor of the folder, a part of the files, files elsewhere. */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.sparseCheckout=false',
  'core.splitIndex=false',
].flatMap((setting) => ['-c', setting]);

/**
 * Returns the files of a commit. They are written as a checkout writes them, with its filters (LFS, line ends), through an
 * index of their own: `git archive` would leave out or rewrite what the attributes `export-ignore` and `export-subst` say.
 */
export async function commitFiles(place: Place, commit: string): Promise<FileSource> {
  const { repository, into, scratch, signal } = place;
  const index = join(scratch, `index-${randomUUID()}`);
  const env = { ...variablesOf(repository), GIT_WORK_TREE: into, GIT_INDEX_FILE: index };
  const run = (argv: string[], input = '') => git([...settings, ...argv], { cwd: into, env, input, signal });
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
      const paths = entries
        .filter(({ mode, path }) => mode !== moduleMode && wanted.file(path))
        .map(({ path }) => path);
      await run(['checkout-index', '-z', '--stdin'], paths.map((path) => `${path}\0`).join(''));
      await Promise.all(paths.map((path) => mustBeThere(into, path)));
      await unpackModules(place, entries, wanted);
    },
  };
}

/** Checks that git wrote a file: before 2.30 its exit code does not say that a filter failed. */
async function mustBeThere(into: string, path: GitPath): Promise<void> {
  const file = Buffer.concat([Buffer.from(`${into}/`), Buffer.from(path, 'latin1')]);
  if (await lstat(file).catch(() => undefined)) return;
  throw new LockageError(`git did not write ${fromGit(path)} of the commit`);
}

async function unpackModules(place: Place, entries: readonly IndexEntry[], wanted: Wanted): Promise<void> {
  for (const entry of entries) {
    if (entry.mode !== moduleMode || !wanted.module(entry.path)) continue;
    const repository = await moduleAt(join(place.repository.top, fromGit(entry.path)), entry);
    const into = join(place.into, fromGit(entry.path));
    await mkdir(dirname(into), { recursive: true });
    await mkdir(into);
    await (await commitFiles({ ...place, repository, into }, entry.id)).unpack(everything);
  }
}
