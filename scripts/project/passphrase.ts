import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backendFolder } from '../../infra/system/backend-folder.ts';
import { writeFirst } from '../../infra/system/first-file.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Returns the passphrase that encrypts secrets in the state: PULUMI_CONFIG_PASSPHRASE, the file that
 * PULUMI_CONFIG_PASSPHRASE_FILE names, or `.lockage/passphrase`, which is made (0600) for a backend that holds nothing
 * yet. A variable without a value, as CI has it for a secret that is not set, counts as none. Without `variables`, neither of
 * the two is looked at. Throws LockageError when there is a state and no passphrase, or an empty one.
 */
export async function readPassphrase(
  folder: string,
  backend: string,
  variables: Variables = process.env,
): Promise<string> {
  const given = variables['PULUMI_CONFIG_PASSPHRASE'];
  if (given) return given;
  const file = passphraseFile(folder, variables);
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || variables['PULUMI_CONFIG_PASSPHRASE_FILE']) throw unreadable(error, variables);
    return undefined;
  });
  if (found !== undefined) return filled(found.replace(/\r?\n$/, ''), file);
  const state = backendFolder(backend);
  if (state === undefined || existsSync(join(state, '.pulumi'))) {
    throw new LockageError('the passphrase of the state is not here', {
      details: [file, `backend ${backend}`],
      hint: 'Get it from the operator who made the state: put it into that file or into PULUMI_CONFIG_PASSPHRASE.',
    });
  }
  // Two commands started at once must end up with one passphrase.
  await writeFirst(file, `${randomBytes(24).toString('base64url')}\n`);
  await mkdir(state, { recursive: true, mode: 0o700 });
  return filled((await readFile(file, 'utf8')).trimEnd(), file);
}

/** Returns the file that has the passphrase where no variable does. */
export function passphraseFile(folder: string, variables: Variables = process.env): string {
  return variables['PULUMI_CONFIG_PASSPHRASE_FILE'] || join(folder, 'passphrase');
}

/** Returns a passphrase. An empty one would seal secrets with what everybody knows. Throws LockageError. */
function filled(passphrase: string, file: string): string {
  if (passphrase !== '') return passphrase;
  throw new LockageError(`the passphrase in ${file} is empty`, {
    hint: 'Write it there again from the copy that is kept; where nothing was released yet, remove the file, and another one is made.',
  });
}

function unreadable(error: unknown, variables: Variables): LockageError {
  const isNamed = variables['PULUMI_CONFIG_PASSPHRASE_FILE'] ? ' PULUMI_CONFIG_PASSPHRASE_FILE names it.' : '';
  return new LockageError(`the passphrase file cannot be read: ${messageOf(error)}`, {
    hint: `See that it is there, and may be read by whoever runs this.${isNamed}`,
    cause: error,
  });
}
