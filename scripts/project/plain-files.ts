import { readdir, readFile } from 'node:fs/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { fromGit, type GitPath } from '../tools/git.ts';
import { bytesOf } from './file-source.ts';
import { stateFolderName } from './state-folder.ts';

/**
 * Returns the files below a folder where there is no git to tell which of them belong to the project: all but our state. Throws
 * LockageError where a list names some that git ignores: only git reads it rightly, and secrets may be among them.
 */
export async function plainFiles(top: string): Promise<GitPath[]> {
  const found: GitPath[] = [];
  const walk = async (folder: GitPath): Promise<void> => {
    for (const entry of await readdir(bytesOf(top, folder), { withFileTypes: true, encoding: 'buffer' })) {
      const name = entry.name.toString('latin1');
      const path = folder === '' ? name : `${folder}/${name}`;
      if (name === '.gitignore' && !(await namesOnlyState(bytesOf(top, path)))) throw unread(path);
      if (!entry.isDirectory()) found.push(path);
      else if (name !== '.git' && name !== stateFolderName) await walk(path);
    }
  };
  await walk('');
  return found;
}

/** Returns whether a list of what git ignores has nothing but what `lockage init` wrote. */
async function namesOnlyState(file: Buffer): Promise<boolean> {
  const lines = (await readFile(file, 'utf8')).split(/\r?\n/).map((line) => line.trim());
  return lines.every((line) => line === '' || line.startsWith('#') || /^\/?\.lockage\/?$/.test(line));
}

function unread(path: GitPath): LockageError {
  return new LockageError(`git is not installed here, and only it knows what ${fromGit(path)} leaves out`, {
    hint: 'Install it (`apt-get install git`), then release again.',
  });
}
