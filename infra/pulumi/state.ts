import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { backendFolder } from '../system/backend-folder.ts';
import { runPulumi, type PulumiSettings } from './cli.ts';
import { ensureProject } from './project-folder.ts';

/** A resource as Pulumi's state has it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Record<string, unknown>;
  readonly outputs?: Record<string, unknown>;
  readonly delete?: boolean;
}

/** The state of a stack, as far as Lockage reads it. */
export interface StackState {
  readonly resources: readonly StateResource[];
  /** of the passphrase; kept in the state so that every operator uses the same */
  readonly salt?: string;
  /** operations that a killed run left unfinished */
  readonly pending: number;
}

interface Snapshot {
  readonly secrets_providers?: { readonly state?: { readonly salt?: string } };
  readonly resources?: readonly StateResource[];
  readonly pending_operations?: readonly unknown[];
}

/**
 * Reads a stack's state; undefined when there is no such stack. A file backend is read as a file, in milliseconds;
 * others through the Pulumi CLI. Throws LockageError when it cannot be read: an unreadable state is never taken for an
 * empty one.
 */
export async function readStack(
  settings: PulumiSettings,
  project: string,
  stack: string,
): Promise<StackState | undefined> {
  const folder = backendFolder(settings.backend);
  const file = folder === undefined ? undefined : await readFileBackend(folder, project, stack);
  const isForPulumi = file === undefined && (folder === undefined || isCompressed(folder, project, stack));
  const snapshot = isForPulumi ? await exportStack(settings, project, stack) : file;
  if (snapshot === undefined) return undefined;
  const salt = snapshot.secrets_providers?.state?.salt;
  return {
    resources: (snapshot.resources ?? []).filter((resource) => !resource.delete),
    ...(salt === undefined ? {} : { salt }),
    pending: snapshot.pending_operations?.length ?? 0,
  };
}

/** Returns the names of a project's stacks, read as `readStack` reads one. Throws LockageError when they cannot be listed. */
export async function listStacks(settings: PulumiSettings, project: string): Promise<readonly string[]> {
  const folder = backendFolder(settings.backend);
  if (folder) return listFileBackend(folder, project);
  await ensureProject(settings.folder, project);
  const result = await runPulumi(settings, ['stack', 'ls', '--json']);
  if (result.code !== 0)
    throw new LockageError('the stacks of the backend cannot be listed', { details: lastLines(result.stderr) });
  return stackNames(result.stdout, project);
}

/** Returns the names of a project's stacks from Pulumi's list: with some backends, the organization and project are in front. */
export function stackNames(list: string, project: string): string[] {
  try {
    const paths = (JSON.parse(list) as readonly { readonly name: string }[]).map(({ name }) => name.split('/'));
    return paths.filter((path) => (path.at(-2) ?? project) === project).map((path) => path.at(-1) ?? '');
  } catch (cause) {
    throw new LockageError('the list of the backend’s stacks is not JSON', {
      hint: 'Run the same command again.',
      cause,
    });
  }
}

async function listFileBackend(folder: string, project: string): Promise<string[]> {
  try {
    const files = await readdir(join(folder, '.pulumi', 'stacks', project));
    return [...new Set(files.flatMap((file) => /^(.+)\.json(?:\.gz|\.zst)?$/.exec(file)?.[1] ?? []))];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new LockageError(`the stacks of the backend cannot be listed: ${messageOf(error)}`);
  }
}

/**
 * Returns whether a stack's file is one that only Pulumi reads: a user's own run of it may have written that, as when a state is moved
 * from another backend. Ours write it as it is otherwise.
 */
function isCompressed(folder: string, project: string, stack: string): boolean {
  return ['.gz', '.zst'].some((end) => existsSync(`${fileOf(folder, project, stack)}${end}`));
}

function fileOf(folder: string, project: string, stack: string): string {
  return join(folder, '.pulumi', 'stacks', project, `${stack}.json`);
}

async function readFileBackend(folder: string, project: string, stack: string): Promise<Snapshot | undefined> {
  const path = fileOf(folder, project, stack);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LockageError(`the state of ${stack} cannot be read: ${messageOf(error)}`);
  }
  try {
    const file = JSON.parse(text) as { checkpoint?: { latest?: Snapshot } };
    if (!file.checkpoint) throw new Error('there is no checkpoint in it');
    return file.checkpoint.latest ?? {};
  } catch (error) {
    throw new LockageError(`the state of ${stack} is damaged: ${messageOf(error)}`, {
      details: [path],
      hint: `Pulumi keeps the one before in ${stack}.json.bak beside it. What runs on the hosts was not touched.`,
    });
  }
}

async function exportStack(settings: PulumiSettings, project: string, stack: string): Promise<Snapshot | undefined> {
  await ensureProject(settings.folder, project);
  const result = await runPulumi(settings, ['stack', 'export', '--stack', stack]);
  if (result.code === 0) return exported<Snapshot>(result.stdout, stack).deployment;
  if (/no stack named|stack '.*' not found/i.test(result.stderr)) return undefined;
  throw new LockageError(`the state of ${stack} cannot be read`, { details: lastLines(result.stderr) });
}

/** Reads an export, which may have secrets in clear: the parser's own error would quote it. Throws LockageError. */
export function exported<Content>(text: string, stack: string): { readonly deployment: Content } {
  try {
    return JSON.parse(text) as { deployment: Content };
  } catch {
    throw new LockageError(`Pulumi's export of ${stack} is not JSON`, { hint: 'Run the same command again.' });
  }
}

/** Returns the last lines of a text. */
export function lastLines(text: string, count = 8): string[] {
  return text.trim().split('\n').slice(-count);
}
