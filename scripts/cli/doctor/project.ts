import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { backendFolder } from '../../../infra/system/backend-folder.ts';
import { passphraseFile } from '../../project/passphrase.ts';
import { stateFolderName } from '../../project/state-folder.ts';
import { bad, checking, good, warning, type Check } from '../check.ts';
import type { CommandContext } from '../open-context.ts';
import { gitChecks } from './computer.ts';
import { registryChecks } from './registry.ts';

/** Checks what belongs to the project: passphrase, record, registry and secrets. */
export async function projectChecks(context: CommandContext): Promise<Check[]> {
  const { project } = context;
  const checks = await Promise.all([
    checking('passphrase', () => checkPassphrase(project.root)),
    checking('backend', async () => {
      const releases = await context.records.releases();
      await Promise.all(project.environments.map(({ name }) => context.records.environment(name)));
      return good('backend', `${project.backend}, ${releases.length} releases`);
    }),
    checking('backend', () => checkBackendFolder(project.backend)),
    checking('registry', () => registryChecks(context)),
    gitChecks(project),
    ...project.environments.map((environment) =>
      checking('secrets', async () => {
        const names = Object.keys(await context.secrets.read(environment));
        return names.length === 0 ? [] : good('secrets', `${environment.name}: ${names.join(', ')}`);
      }),
    ),
  ]);
  return checks.flat();
}

async function checkPassphrase(root: string): Promise<Check> {
  if (process.env['PULUMI_CONFIG_PASSPHRASE']) return good('passphrase', 'from PULUMI_CONFIG_PASSPHRASE');
  const file = passphraseFile(join(root, stateFolderName));
  const { mode } = await stat(file);
  return (mode & 0o077) === 0
    ? good('passphrase', file)
    : bad('passphrase', `${file} can be read by others`, `Run \`chmod 600 ${file}\`.`);
}

async function checkBackendFolder(backend: string): Promise<Check | Check[]> {
  const folder = backendFolder(backend);
  if (folder === undefined) return [];
  const found = await stat(folder).catch(() => undefined);
  if (!found || (found.mode & 0o007) === 0) return [];
  return warning('backend', `${folder} is open to everybody on this machine`, `Run \`chmod 700 ${folder}\`.`);
}
