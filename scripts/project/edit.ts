import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomic } from '../../infra/system/atomic-file.ts';
import { environmentsFolder, loadConfiguration } from '../../pipelines/config/load.ts';
import type { SourceFile } from '../../pipelines/config/source/source.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import { environmentNamed } from '../../pipelines/model/pipeline.ts';
import { readSources } from './load.ts';

/** A change of an environment's file that leads to exactly these hosts. */
export interface EnvironmentEdit {
  /** folder of lockage.yaml */
  readonly root: string;
  readonly environment: string;
  /** the new text of its file */
  readonly edit: (file: SourceFile) => string;
  /** names of its hosts afterwards, in order */
  readonly hosts: readonly string[];
}

/** Returns the path of an environment's file as people write it. */
export function environmentFile(environment: string): string {
  return `${environmentsFolder}/${environment}.yaml`;
}

/**
 * Returns the environment as it would be. Nothing is written.
 * @throws LockageError (refused) if the configuration would not be valid, or the hosts would be others than meant.
 */
export async function tryEdit(change: EnvironmentEdit): Promise<Environment> {
  return (await edited(change)).environment;
}

/** Makes the change as `tryEdit` checks it, and writes the file: as a whole, or not at all. */
export async function writeEdit(change: EnvironmentEdit): Promise<Environment> {
  const { environment, text } = await edited(change);
  // A link in the folder stays a link.
  const file = await realpath(path.join(change.root, environmentFile(change.environment)));
  try {
    await writeAtomic(file, text, { mode: (await stat(file)).mode & 0o777 });
  } catch (error) {
    throw new LockageError(`cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`, {
      cause: error,
    });
  }
  return environment;
}

async function edited(change: EnvironmentEdit): Promise<{ environment: Environment; text: string }> {
  const { root, environment: name, edit, hosts } = change;
  const sources = await readSources(root);
  const own = environmentFile(name);
  // The text is read again, as people may have changed it since the command began.
  const text = edit({ path: own, text: await readFile(path.join(root, own), 'utf8') });
  const changed = sources.map((source) => (source.path === own ? { path: own, text } : source));
  const environment = environmentNamed(loadConfiguration(changed, root), name);
  const names = environment.hosts.map((host) => host.name);
  if (names.join() === hosts.join()) return { environment, text };
  throw new LockageError(`${own} was changed meanwhile, or is written in a way that is not understood: it stays`, {
    details: [`meant: ${hosts.join(', ')}`, `would be: ${names.join(', ')}`],
    hint: 'Look at the file, and change its targets by hand.',
  });
}
