import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { environmentsFolder, loadConfiguration, projectFileName } from '../../pipelines/config/load.ts';
import { maximumFileSize, type SourceFile } from '../../pipelines/config/source/source.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Project } from '../../pipelines/model/environment.ts';

/**
 * Loads the project whose lockage.yaml is in `cwd` or the nearest folder above it.
 * @throws LockageError (refused) if there is none, or with all problems of its files at once.
 */
export async function loadProject(cwd: string): Promise<Project> {
  const root = await findRoot(cwd);
  return loadConfiguration(await readSources(root), root);
}

/**
 * Returns the nearest folder, from `cwd` upwards, that holds a lockage.yaml.
 * @throws LockageError (refused) if there is none.
 */
export async function findRoot(cwd: string): Promise<string> {
  for (let folder = path.resolve(cwd); ; folder = path.dirname(folder)) {
    if (await isFile(path.join(folder, projectFileName))) return folder;
    if (folder === path.dirname(folder)) break;
  }
  throw new LockageError(`no ${projectFileName} in ${path.resolve(cwd)} or a folder above it`, {
    hint: 'Run `lockage init` to write a first one.',
  });
}

/** Reads the configuration's files as they are. Throws LockageError for one that cannot be read. */
export async function readSources(root: string): Promise<SourceFile[]> {
  const entries = await readdir(path.join(root, environmentsFolder)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  const misnamed = entries.filter((entry) => entry.endsWith('.yml'));
  if (misnamed.length > 0) {
    throw new LockageError(
      `environment files end in .yaml: ${misnamed.map((name) => `${environmentsFolder}/${name}`).join(', ')}`,
      {
        hint: `Rename it: \`git mv ${environmentsFolder}/${misnamed[0]} ${environmentsFolder}/${misnamed[0]?.replace(/\.yml$/, '.yaml')}\`.`,
      },
    );
  }
  const names = entries.filter((entry) => entry.endsWith('.yaml') && !entry.startsWith('.')).sort();
  return Promise.all(
    [projectFileName, ...names.map((name) => `${environmentsFolder}/${name}`)].map((name) => readSource(root, name)),
  );
}

async function readSource(root: string, name: string): Promise<SourceFile> {
  const file = path.join(root, name);
  try {
    const { size } = await stat(file);
    // Not read at all: the loader reports it as too large by the text's length.
    if (size > maximumFileSize) return { path: name, text: ' '.repeat(maximumFileSize + 1) };
    return { path: name, text: await readFile(file, 'utf8') };
  } catch (error) {
    throw new LockageError(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, {
      cause: error,
    });
  }
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
