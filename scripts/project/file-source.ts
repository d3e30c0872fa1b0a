import { LockageError } from '../../pipelines/errors.ts';
import { findRepository, fromGit, git, type GitPath, type Repository } from '../tools/git.ts';
import { stateFolderName } from './state-folder.ts';

/** A link at a path to another one, or a repository of its own. */
export type Special = { readonly link: GitPath } | 'module';

/** Files of a repository, from which an image is built. */
export interface FileSource {
  /** Returns what is special at a path; undefined for a file, a folder or nothing. Links in the path are not followed. */
  at(path: GitPath): Promise<Special | undefined>;
  /**
   * Writes the files that are wanted to where the source was told, each below its path. Returns those of which only a pointer of
   * Git LFS is there. Throws LockageError.
   */
  unpack(wanted: Wanted): Promise<readonly GitPath[]>;
}

/** The files that are wanted. */
export interface Wanted {
  file(path: GitPath): boolean;
  /** Returns whether anything below a submodule is wanted. Then all of it is taken. */
  module(path: GitPath): boolean;
}

/** All files, but for the state of any project: it is secret, and somebody may have committed it. */
export const everything: Wanted = { file: isOpen, module: isOpen };

/** Returns whether a path leads to no project's state. */
export function isOpen(path: GitPath): boolean {
  return !path.split('/').includes(stateFolderName);
}

/** Returns the bytes of a path of git's below a folder. */
export function bytesOf(folder: string, path: GitPath): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);
}

/** An entry of git's index. */
export interface IndexEntry {
  readonly mode: string;
  readonly id: string;
  readonly path: GitPath;
}

export const linkMode = '120000';
export const moduleMode = '160000';

/** Reads what `git ls-files --stage -z` prints. */
export function indexEntries(text: string): IndexEntry[] {
  return namesOf(text).map((line) => {
    const tab = line.indexOf('\t');
    const [mode = '', id = ''] = line.slice(0, tab).split(' ');
    return { mode, id, path: line.slice(tab + 1) };
  });
}

/** Reads a list of names that end with a zero byte each. */
export function namesOf(text: string): string[] {
  return text.split('\0').filter((name) => name !== '');
}

/** Returns the variables that make git work on a repository, whatever it was told about another one. */
export function variablesOf({ gitDir, top }: Repository): Record<string, string | undefined> {
  return { GIT_DIR: gitDir, GIT_WORK_TREE: top, GIT_INDEX_FILE: undefined };
}

/** Returns the repository that is checked out in a folder, and not only around it; undefined where there is none. */
export async function repositoryIn(folder: string): Promise<Repository | undefined> {
  const found = await findRepository(folder, { GIT_DIR: undefined, GIT_WORK_TREE: undefined }).catch(() => undefined);
  return found?.folder === '' ? found : undefined;
}

/** Returns the repository of a submodule. Throws LockageError when it is not checked out, or lacks that commit. */
export async function moduleAt(folder: string, { path, id }: IndexEntry): Promise<Repository> {
  const module = await repositoryIn(folder);
  const has = async ({ top }: Repository, env: Record<string, string | undefined>) =>
    git(['cat-file', '-e', `${id}^{commit}`], { cwd: top, env }).then(
      () => true,
      () => false,
    );
  if (module && (await has(module, variablesOf(module)))) return module;
  throw new LockageError(`the submodule ${fromGit(path)} is not checked out`, {
    details: [`its commit ${id.slice(0, 7)} is not here`],
    hint: 'Run `git submodule update --init --recursive`, then release again.',
  });
}
