import { LockageError } from '../../pipelines/errors.ts';
import { variablesFor } from '../../infra/system/environment.ts';
import { run } from './shell.ts';

/** What git says of a folder. */
export interface GitTree {
  /** full id of the commit */
  readonly commit: string;
  /** paths with uncommitted changes, as `git status` lists them */
  readonly changes: readonly string[];
}

/** Reads the commit and the uncommitted changes. Throws LockageError when the folder is not in a git repository. */
export async function readGitTree(folder: string): Promise<GitTree> {
  const options = { cwd: folder, env: variablesFor('git') };
  const head = await run(['git', 'rev-parse', '--verify', 'HEAD'], options);
  if (head.code !== 0) {
    throw new LockageError(`${folder} has no git commit`, {
      details: [head.stderr.trim()],
      hint: 'A release is built from a commit: `git init`, `git add` and `git commit` first.',
    });
  }
  const status = await run(['git', 'status', '--porcelain'], options);
  return { commit: head.stdout.trim(), changes: status.stdout.split('\n').filter((line) => line !== '') };
}
