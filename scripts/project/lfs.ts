import { open } from 'node:fs/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { fromGit, type GitPath } from '../tools/git.ts';
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
 * Refuses files that Git LFS keeps, and that came as pointers to their contents: without its program git writes these and says
 * nothing, and an image would be built of them. Throws LockageError with their names.
 * https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
 */
export async function refusePointers({ into, paths, run, cached }: Written): Promise<void> {
  const asked = ['check-attr', ...(cached ? ['--cached'] : []), '--stdin', '-z', 'filter'];
  const told = (await run(asked, paths.map((path) => `${path}\0`).join(''))).split('\0');
  const kept = paths.filter((_, index) => told[index * 3 + 2] === 'lfs');
  const pointers: GitPath[] = [];
  for (const path of kept) if (await isPointer(bytesOf(into, path))) pointers.push(path);
  if (pointers.length === 0) return;
  const more = pointers.length > shown ? [`and ${pointers.length - shown} more`] : [];
  throw new LockageError('Git LFS keeps files of the build, and their contents are not here', {
    details: [...pointers.slice(0, shown).map(fromGit), ...more],
    hint: 'Install git-lfs, run `git lfs install` and `git lfs pull`, then release again.',
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
