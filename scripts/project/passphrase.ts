import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backendFolder } from '../../infra/system/backend-folder.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';

/**
 * Returns the passphrase that encrypts secrets in the state: PULUMI_CONFIG_PASSPHRASE, the file that
 * PULUMI_CONFIG_PASSPHRASE_FILE names, or `.lockage/passphrase`, which is made (0600) for a backend that holds nothing
 * yet. Without `variables`, neither of the two is looked at. Throws LockageError when there is a state and no passphrase.
 */
export async function readPassphrase(
  folder: string,
  backend: string,
  variables: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const given = variables['PULUMI_CONFIG_PASSPHRASE'];
  if (given !== undefined && given !== '') return given;
  // A CI sets what it has no value for to nothing.
  const file = variables['PULUMI_CONFIG_PASSPHRASE_FILE'] || join(folder, 'passphrase');
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || variables['PULUMI_CONFIG_PASSPHRASE_FILE']) {
      throw new LockageError(`the passphrase file cannot be read: ${messageOf(error)}`);
    }
  }
  const state = backendFolder(backend);
  if (state === undefined || existsSync(join(state, '.pulumi'))) {
    throw new LockageError('the passphrase of the state is not here', {
      details: [file, `backend ${backend}`],
      hint: 'Get it from the operator who made the state: put it into that file or into PULUMI_CONFIG_PASSPHRASE.',
    });
  }
  const passphrase = randomBytes(24).toString('base64url');
  // The first one wins: two commands started at once must end up with one passphrase.
  await writeFile(file, `${passphrase}\n`, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await mkdir(state, { recursive: true, mode: 0o700 });
  return (await readFile(file, 'utf8')).trimEnd();
}
