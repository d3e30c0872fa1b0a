import { constants, type Stats } from 'node:fs';
import { copyFile, lstat, mkdir, readlink, symlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { fromGit, git, type GitPath, type Repository } from '../tools/git.ts';
import {
  bytesOf,
  everything,
  indexEntries,
  moduleAt,
  moduleMode,
  namesOf,
  repositoryIn,
  variablesOf,
  type FileSource,
  type IndexEntry,
  type Wanted,
} from './file-source.ts';
import { pointersAmong } from './lfs.ts';
import { plainFiles } from './plain-files.ts';

interface Place {
  readonly repository: Repository;
  /** where the files go */
  readonly into: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Returns the files of a folder as they are on disk: those that git tracks, and those that it neither tracks nor ignores.
 * What was deleted is not among them.
 */
export async function folderFiles(place: Place): Promise<FileSource> {
  const { repository, signal } = place;
  const { top } = repository;
  const run = (argv: readonly string[], input = '') =>
    git(argv, { cwd: top, env: variablesOf(repository), input, signal });
  const tracked = indexEntries(await run(['ls-files', '--stage', '-z']));
  const others = namesOf(await run(['ls-files', '--others', '--exclude-standard', '-z']));
  const modules = new Map(tracked.filter(({ mode }) => mode === moduleMode).map((entry) => [entry.path, entry]));
  const files = new Set([...tracked.filter(({ mode }) => mode !== moduleMode).map(({ path }) => path), ...others]);
  const source = sourceOf(place, files, modules);
  const check = (wanted: Wanted) => {
    const paths = [...files].filter((path) => !path.endsWith('/') && wanted.file(path));
    return pointersAmong({ into: place.into, paths, run, cached: false });
  };
  const unpack = async (wanted: Wanted) => {
    const below = await source.unpack(wanted);
    return [...(await check(wanted)), ...below];
  };
  return { ...source, unpack };
}

/** Returns the same of a folder that is in no repository, on a computer without git. Throws LockageError. */
export async function filesWithoutGit({
  top,
  ...place
}: Omit<Place, 'repository'> & { top: string }): Promise<FileSource> {
  const repository = { top, gitDir: '', folder: '' };
  return sourceOf({ ...place, repository }, new Set(await plainFiles(top)), new Map());
}

function sourceOf(place: Place, files: ReadonlySet<GitPath>, modules: ReadonlyMap<GitPath, IndexEntry>): FileSource {
  const { signal, repository } = place;
  const { top } = repository;
  return {
    at: async (path) => {
      if (modules.has(path)) return 'module';
      const file = bytesOf(top, path);
      const link = (await lstatOf(file))?.isSymbolicLink() ?? false;
      return link ? { link: (await readlink(file, 'buffer')).toString('latin1') } : undefined;
    },
    unpack: async (wanted) => {
      const isFolder = folderCheck(top);
      const pointers: GitPath[] = [];
      for (const path of files) {
        signal?.throwIfAborted();
        // Git does not look into a repository that is no submodule: it names its folder, with a slash.
        if (path.endsWith('/')) pointers.push(...(await copyNested(place, path.slice(0, -1), wanted)));
        else if (wanted.file(path) && (await isFolder(posix.dirname(path)))) await copyFileOf(place, path);
      }
      for (const entry of modules.values()) {
        // One that was deleted is as absent as a file is.
        if (wanted.module(entry.path) && (await isFolder(entry.path)))
          pointers.push(...(await copyModule(place, entry)));
      }
      return pointers;
    },
  };
}

async function copyNested(place: Place, path: GitPath, wanted: Wanted): Promise<readonly GitPath[]> {
  const repository = wanted.module(path) ? await repositoryIn(join(place.repository.top, fromGit(path))) : undefined;
  return repository ? copyAll(place, path, repository) : [];
}

async function copyModule(place: Place, entry: IndexEntry): Promise<readonly GitPath[]> {
  const folder = join(place.repository.top, fromGit(entry.path));
  return copyAll(place, entry.path, (await repositoryIn(folder)) ?? (await moduleAt(folder, entry)));
}

async function copyAll(place: Place, path: GitPath, repository: Repository): Promise<readonly GitPath[]> {
  const into = join(place.into, fromGit(path));
  await mkdir(into, { recursive: true });
  const pointers = await (await folderFiles({ ...place, repository, into })).unpack(everything);
  return pointers.map((pointer) => `${path}/${pointer}`);
}

/**
 * Returns a function that tells whether a path is a folder, and all above it are. What git tracks below a link is gone: to
 * follow the link would bring in what lies elsewhere, and write there.
 */
function folderCheck(top: string): (path: GitPath) => Promise<boolean> {
  const known = new Map<GitPath, Promise<boolean>>([['.', Promise.resolve(true)]]);
  const isFolder = async (path: GitPath): Promise<boolean> => {
    const looked = known.get(path) ?? look(path);
    known.set(path, looked);
    return looked;
  };
  const look = async (path: GitPath): Promise<boolean> =>
    (await isFolder(posix.dirname(path))) && ((await lstatOf(bytesOf(top, path)))?.isDirectory() ?? false);
  return isFolder;
}

/** Copies a file or link with its mode. Of anything else nothing is copied, as with git. */
async function copyFileOf({ repository, into }: Place, path: GitPath): Promise<void> {
  const [from, to] = [bytesOf(repository.top, path), bytesOf(into, path)];
  const found = await lstatOf(from);
  if (!found?.isFile() && !found?.isSymbolicLink()) return;
  await mkdir(bytesOf(into, posix.dirname(path)), { recursive: true });
  const copying = found.isFile()
    ? copyFile(from, to, constants.COPYFILE_FICLONE)
    : readlink(from, 'buffer').then((target) => symlink(target, to));
  await copying.catch((cause: NodeJS.ErrnoException) => {
    throw new LockageError(`cannot copy ${fromGit(path)} for the build: ${cause.code ?? cause.message}`, { cause });
  });
}

async function lstatOf(file: Buffer): Promise<Stats | undefined> {
  return lstat(file).catch(() => undefined);
}
