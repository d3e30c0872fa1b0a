import { isUtf8 } from 'node:buffer';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { homeFolder } from '../../infra/system/this-user.ts';
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
 * Returns the nearest folder, from `cwd` upwards, that holds a lockage.yaml; above the top of a git repository and above the
 * home folder nothing is looked for.
 * @throws LockageError (refused) if there is none, or it is above `cwd` and somebody else may have written it.
 */
export async function findRoot(cwd: string): Promise<string> {
  const start = path.resolve(cwd);
  let otherwise: string | undefined;
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (await isFile(path.join(folder, projectFileName))) {
      if (folder !== start) await refuseStrangers(folder, start);
      return folder;
    }
    const other = path.join(folder, projectFileName.replace(/yaml$/, 'yml'));
    if (otherwise === undefined && (await isFile(other))) otherwise = other;
    if (folder === path.dirname(folder) || folder === homeFolder() || (await exists(path.join(folder, '.git')))) break;
  }
  throw new LockageError(`no ${projectFileName} in ${start} or a folder above it`, {
    ...(otherwise === undefined ? {} : { details: [`${otherwise} is called otherwise`] }),
    hint:
      otherwise === undefined
        ? 'Run `lockage init` to write a first one.'
        : `Rename it: \`mv ${otherwise} ${otherwise.replace(/yml$/, 'yaml')}\`.`,
  });
}

/**
 * Refuses a configuration that others may have written: it names programs that run here, and who only works below a
 * folder that others write to must not run theirs. In the very folder of a configuration, it is who works there that
 * chose it.
 */
async function refuseStrangers(root: string, cwd: string): Promise<void> {
  const file = path.join(root, projectFileName);
  const own = [process.getuid?.(), 0, Number(process.env['SUDO_UID'] ?? 0), (await stat(cwd)).uid];
  const [folder, found] = await Promise.all([stat(root), stat(file)]);
  const isOpen = ((folder.mode | found.mode) & 0o002) !== 0;
  if (!isOpen && own.includes(folder.uid) && own.includes(found.uid)) return;
  throw new LockageError(`${file} may be somebody else’s`, {
    details: [isOpen ? 'others may write there' : `it belongs to user ${found.uid}, its folder to ${folder.uid}`],
    hint: `If it is the one you mean, run the command in ${root}.`,
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
        hint: `Rename it: \`mv ${environmentsFolder}/${misnamed[0]} ${environmentsFolder}/${misnamed[0]?.replace(/\.yml$/, '.yaml')}\`.`,
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
    const bytes = await readFile(file);
    if (isUtf8(bytes)) return { path: name, text: bytes.toString('utf8') };
    return { path: name, text: '', problem: 'is not UTF-8 text: save it in that encoding' };
  } catch (error) {
    throw new LockageError(`cannot read ${name}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, {
      cause: error,
    });
  }
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
