import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { backendFolder } from '../system/backend-folder.ts';
import type { PulumiSettings } from './cli.ts';
import type { LockHolder } from './errors.ts';

/** The holder of a lock, as Pulumi reports and writes it. */
interface Holder {
  readonly machine: string;
  readonly pid: number;
}

/**
 * Removes the locks on a stack that a holder has, or all of them; `pulumi cancel` knows only the latter. Only in a backend
 * that is a folder; returns false for any other.
 */
export async function removeLocksOf(
  { backend }: Pick<PulumiSettings, 'backend'>,
  { project, stack }: { readonly project: string; readonly stack: string },
  holder?: Holder,
): Promise<boolean> {
  const state = backendFolder(backend);
  if (state === undefined) return false;
  const folder = locksFolder(state, { project, stack });
  for (const name of await readdir(folder).catch(() => [])) {
    const file = path.join(folder, name);
    if (!holder || isOf(holder, await readFile(file, 'utf8').catch(() => ''))) await rm(file, { force: true });
  }
  return true;
}

/** The locks on a stack, as far as a backend that is a folder tells. */
export async function locksOn(
  { backend }: Pick<PulumiSettings, 'backend'>,
  { project, stack }: { readonly project: string; readonly stack: string },
): Promise<readonly LockHolder[] | undefined> {
  const state = backendFolder(backend);
  if (state === undefined) return undefined;
  const folder = locksFolder(state, { project, stack });
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '')));
  return texts.flatMap((text) => holderIn(text) ?? []);
}

function locksFolder(state: string, { project, stack }: { readonly project: string; readonly stack: string }): string {
  return path.join(state, '.pulumi', 'locks', 'organization', project, stack);
}

function holderIn(text: string): LockHolder | undefined {
  try {
    const { username, hostname, pid, timestamp } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return { user: String(username), machine: String(hostname), pid: Number(pid), since: String(timestamp) };
  } catch {
    // This lock is being written.
    return undefined;
  }
}

function isOf({ machine, pid }: Holder, text: string): boolean {
  try {
    const lock = JSON.parse(text) as { hostname?: unknown; pid?: unknown };
    return lock.hostname === machine && lock.pid === pid;
  } catch {
    // This lock is being written.
    return false;
  }
}
