import { lstatSync } from 'node:fs';
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { findRepository } from '../tools/git.ts';
import { loadProject } from './load.ts';
import { lockNotes } from './locked-package.ts';
import { workflowNotes, workflowsOf } from './workflows.ts';

/** The workflows that were written, relative to the top of the repository, and what they cannot do yet. */
export interface WrittenWorkflows {
  readonly files: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Writes workflows for GitHub for the project around a folder, at the top of its repository, where GitHub looks for them. Throws
 * LockageError (refused) where there is no project or repository, or listing the files that are in the way.
 */
export async function initWorkflows(cwd: string, force = false): Promise<WrittenWorkflows> {
  const project = await loadProject(cwd);
  const { top } = await findRepository(project.root).catch((cause: unknown) => {
    throw new LockageError(`${project.root} is in no git repository`, { hint: 'Run `git init` first.', cause });
  });
  const folder = path.relative(await realpath(top), await realpath(project.root));
  const contents = Object.entries(workflowsOf(project, folder));
  const inTheWay = contents.map(([file]) => file).filter((file) => isThere(path.join(top, file)));
  if (inTheWay.length > 0 && !force) {
    throw new LockageError('no workflow was written: there are files in the way', {
      details: inTheWay,
      hint: 'Move them away, or replace them with `lockage init --github --force`.',
    });
  }
  for (const [file, text] of contents) {
    await mkdir(path.join(top, path.dirname(file)), { recursive: true });
    await writeFile(path.join(top, file), text, { flag: force ? 'w' : 'wx' });
  }
  const lock = await readFile(path.join(project.root, 'package-lock.json'), 'utf8').catch(() => undefined);
  return { files: contents.map(([file]) => file), notes: [...workflowNotes(project), ...lockNotes(lock, folder)] };
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}
