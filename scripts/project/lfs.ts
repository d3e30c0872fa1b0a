import { open, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { fromGit, type GitPath } from '../tools/git.ts';
import { leavesOut } from './docker-ignore.ts';
import { bytesOf } from './file-source.ts';

/** Files that were written for a build, and the repository that they are of. */
interface Written {
  readonly into: string;
  readonly paths: readonly GitPath[];
  /** runs git on their repository; returns its stdout */
  readonly run: (argv: readonly string[], input: string) => Promise<string>;
  /** attributes are read from the index, as there may be no other files of the commit */
  readonly cached: boolean;
}

/**
 * Returns the files that Git LFS keeps, and that came as pointers to their contents: without its program git writes these and says
 * nothing. https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
 */
export async function pointersAmong({ into, paths, run, cached }: Written): Promise<readonly GitPath[]> {
  const asked = ['check-attr', ...(cached ? ['--cached'] : []), '--stdin', '-z', 'filter'];
  const told = (await run(asked, paths.map((path) => `${path}\0`).join(''))).split('\0');
  const kept = paths.filter((_, index) => told[index * 3 + 2] === 'lfs');
  const pointers: GitPath[] = [];
  for (const path of kept) if (await isPointer(bytesOf(into, path))) pointers.push(path);
  return pointers;
}

/**
 * Returns the pointers that are part of a build: in its context, and not left out of it. Builders differ in which list counts where
 * there is one of the Dockerfile's own, so only what both leave out is.
 */
export async function builtAmong(
  pointers: readonly GitPath[],
  into: string,
  { context, dockerfile }: { readonly context: string; readonly dockerfile: string },
): Promise<readonly GitPath[]> {
  if (pointers.length === 0) return [];
  const [general, own] = await Promise.all(
    [`${context}/.dockerignore`, `${dockerfile}.dockerignore`].map(listIn(into)),
  );
  const needed = [dockerfile, general?.file, own?.file];
  const isLeftOut = (path: string) => (general?.isOut(path) ?? false) && (own?.isOut(path) ?? true);
  return pointers.filter((pointer) => {
    const file = join(into, fromGit(pointer));
    const isInside = file.startsWith(`${context}${sep}`);
    return needed.includes(file) || (isInside && !isLeftOut(file.slice(context.length + 1)));
  });
}

interface List {
  readonly file: string;
  readonly isOut: (path: string) => boolean;
}

/** Returns a function that reads a list of what a build leaves out: undefined where there is none among the build's files. */
function listIn(into: string): (path: string) => Promise<List | undefined> {
  return async (path) => {
    const file = await realpath(path).catch(() => undefined);
    if (!file?.startsWith(`${into}${sep}`) || !(await stat(file)).isFile()) return undefined;
    return { file, isOut: leavesOut(await readFile(file, 'utf8')) };
  };
}

/** Refuses pointers that an image would be built of. Throws LockageError with their names. */
export function refusePointers(pointers: readonly GitPath[]): void {
  if (pointers.length === 0) return;
  const more = pointers.length > shown ? [`and ${pointers.length - shown} more`] : [];
  throw new LockageError('Git LFS keeps files of the build, and their contents are not here', {
    details: [...pointers.slice(0, shown).map(fromGit), ...more],
    hint: 'Install git-lfs, run `git lfs install` and `git lfs pull`, then release again; or leave them out by .dockerignore.',
  });
}

const shown = 10;
const firstLine = 'version https://git-lfs.github.com/spec/';

async function isPointer(file: Buffer): Promise<boolean> {
  const opened = await open(file).catch(() => undefined);
  if (!opened) return false;
  try {
    const { bytesRead, buffer } = await opened.read(Buffer.alloc(firstLine.length), 0, firstLine.length, 0);
    return buffer.subarray(0, bytesRead).toString('latin1') === firstLine;
  } catch {
    return false;
  } finally {
    await opened.close();
  }
}
