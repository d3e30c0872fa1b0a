import { chmod, mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import type { Build, Project } from '../../pipelines/model/environment.ts';
import type { BuildSource } from '../../pipelines/operations/ports/builder.ts';
import {
  findRepository,
  fromGit,
  GitMissingError,
  hasGitFolder,
  repositoryAround,
  toGit,
  type GitPath,
} from '../tools/git.ts';
import { withTemporaryFolder } from '../tools/temporary-folder.ts';
import { commitFiles } from './commit-files.ts';
import { isOpen, type FileSource, type Wanted } from './file-source.ts';
import { filesWithoutGit, folderFiles } from './folder-files.ts';
import { builtAmong, refusePointers } from './lfs.ts';

/** The source that an image is to be built from. */
export interface ContextRequest {
  /** the project's folder */
  readonly root: string;
  readonly build: Pick<Build, 'context' | 'dockerfile'>;
  readonly source: BuildSource;
  readonly signal?: AbortSignal;
}

/** A build context on disk. */
export interface BuildContext {
  readonly context: string;
  readonly dockerfile: string;
}

/**
 * Runs `work` with a build context that holds the files of a commit, or those of the folder that git does not ignore, and
 * nothing else: no ignored file, no `.git`, no state. It is removed afterwards. Throws LockageError when the context or the
 * Dockerfile is not among these files.
 */
export function withBuildContext<T>(request: ContextRequest, work: (context: BuildContext) => Promise<T>): Promise<T> {
  return withTemporaryFolder('lockage-build-', async (scratch) => {
    const into = join(scratch, 'tree');
    await mkdir(into);
    const { files, folder } = await filesOf(request, into, scratch);
    const paths = await locate(files, folder, request);
    const pointers = await files.unpack(wantedFor(paths));
    await openFolders(into);
    const made = await unpacked(into, paths, request);
    refusePointers(await builtAmong(pointers, into, made));
    return work(made);
  });
}

interface Found {
  readonly files: FileSource;
  /** the project's folder in the repository */
  readonly folder: GitPath;
}

async function filesOf({ root, source, signal }: ContextRequest, into: string, scratch: string): Promise<Found> {
  if (source !== 'folder') {
    const repository = await findRepository(root);
    const { folder } = repository;
    return { files: await commitFiles({ repository, into, scratch, signal }, source.commit), folder };
  }
  try {
    const repository = await repositoryAround(root, join(scratch, 'none'));
    return { files: await folderFiles({ repository, into, signal }), folder: repository.folder };
  } catch (error) {
    if (!(error instanceof GitMissingError) || (await hasGitFolder(root))) throw error;
    return { files: await filesWithoutGit({ top: await realpath(root), into, signal }), folder: '' };
  }
}

/** Lets everybody into the folders, whatever the umask of who builds: images keep modes, and programs run as somebody else. */
async function openFolders(folder: Buffer | string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' })) {
    if (entry.isDirectory()) await openFolders(Buffer.concat([Buffer.from(folder), Buffer.from('/'), entry.name]));
  }
}

/** Returns what a release is made of, from the project's folder: what is changed elsewhere in the repository does not count. */
export function partsOf({ build }: Pick<Project, 'build'>): readonly string[] {
  return [contextOf(build), dockerfileOf(build), 'lockage.yaml'];
}

/** The paths of things in the repository, once links are followed. */
interface Paths {
  readonly context: GitPath;
  readonly dockerfile: GitPath;
  /** lists of what the build leaves out, which may be links to elsewhere */
  readonly ignoreFiles: readonly GitPath[];
}

async function locate(files: FileSource, project: GitPath, { build }: ContextRequest): Promise<Paths> {
  const find = async (path: string, what: string): Promise<GitPath> => {
    const found = await followLinks(files, `${project}/${toGit(path)}`);
    if (found !== undefined) return found;
    throw new LockageError(`the ${what} ${path} leads out of the git repository`, {
      hint: 'A release is built from files of its repository: see to `build` in lockage.yaml.',
    });
  };
  const context = await find(contextOf(build), 'build context');
  const dockerfile = await find(dockerfileOf(build), 'Dockerfile');
  const lists = [`${context}/.dockerignore`, `${dockerfile}.dockerignore`];
  const ignoreFiles = await Promise.all(lists.map((list) => followLinks(files, list)));
  return { context, dockerfile, ignoreFiles: ignoreFiles.filter((path) => path !== undefined) };
}

function contextOf({ context }: ContextRequest['build']): string {
  return normalize(context);
}

/** Returns the Dockerfile as people write it and as Docker takes it: relative to the context. */
function dockerfileOf({ context, dockerfile }: ContextRequest['build']): string {
  return join(context, dockerfile);
}

/** Returns a path without links and dots; undefined where it leads out of the repository, or in a circle. */
async function followLinks(files: FileSource, path: GitPath): Promise<GitPath | undefined> {
  const ahead = path.split('/');
  const done: string[] = [];
  for (let links = 0; ahead.length > 0;) {
    const part = ahead.shift() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (done.pop() === undefined) return undefined;
      continue;
    }
    const special = await files.at([...done, part].join('/'));
    // What is in a submodule is known when it is unpacked.
    if (special === 'module') return [...done, part, ...ahead].join('/');
    if (special === undefined) done.push(part);
    else if (special.link.startsWith('/') || ++links > 40) return undefined;
    else ahead.unshift(...special.link.split('/'));
  }
  return done.join('/');
}

function wantedFor({ context, dockerfile, ignoreFiles }: Paths): Wanted {
  const single = new Set([dockerfile, ...ignoreFiles]);
  const file = (path: GitPath) => isOpen(path) && (isWithin(path, context) || single.has(path));
  const module = (path: GitPath) =>
    isOpen(path) && (isWithin(path, context) || [context, dockerfile].some((wanted) => isWithin(wanted, path)));
  return { file, module };
}

function isWithin(path: GitPath, folder: GitPath): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

/** Returns the context as it lies on disk. In a submodule there may be links that nobody has looked at so far. */
async function unpacked(into: string, paths: Paths, { build, source }: ContextRequest): Promise<BuildContext> {
  const place = async (path: GitPath): Promise<string | undefined> => {
    const found = await realpath(join(into, fromGit(path))).catch(() => undefined);
    return found === into || found?.startsWith(`${into}${sep}`) ? found : undefined;
  };
  const context = await place(paths.context);
  if (context === undefined || !(await stat(context)).isDirectory()) {
    throw missing(`the build context ${contextOf(build)}`, source);
  }
  const dockerfile = await place(paths.dockerfile);
  if (dockerfile === undefined || !(await stat(dockerfile)).isFile()) {
    throw missing(`the Dockerfile ${dockerfileOf(build)}`, source);
  }
  return { context, dockerfile };
}

function missing(what: string, source: BuildSource): LockageError {
  if (source === 'folder') {
    return new LockageError(`${what} is not there, or git ignores it`, {
      hint: 'A release is built from the files that git does not ignore: see to .gitignore, or to `build` in lockage.yaml.',
    });
  }
  return new LockageError(`${what} is not in commit ${source.commit.slice(0, 7)}`, {
    hint: 'Commit it: a release is built from the commit, never from the folder. `git add --force` takes what git ignores.',
  });
}
