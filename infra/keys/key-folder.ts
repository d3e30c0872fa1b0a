import { generateKeyPairSync } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { publicKeyOf, type KeyType, type PublicKey } from '../../pipelines/model/public-key.ts';
import { writeAtomic } from '../system/atomic-file.ts';
import { fullPath, homeFolder } from '../system/this-user.ts';

/** Returns the folder with the user's own private keys: LOCKAGE_KEYS, or one beside other programs' settings. */
export function keyFolder(variables: NodeJS.ProcessEnv = process.env): string {
  const settings = fullPath(variables['XDG_CONFIG_HOME']) ?? join(homeFolder(), '.config');
  return variables['LOCKAGE_KEYS'] || join(settings, 'lockage', 'keys');
}

/** Returns the file of the user's key of that name. */
export function keyFile(name: string, variables?: NodeJS.ProcessEnv): string {
  return join(keyFolder(variables), `${name}.pem`);
}

/** Makes a key, and writes it for this user alone. Throws LockageError when there is one of that name. */
export async function makeKey(name: string, type: KeyType): Promise<{ file: string; publicKey: PublicKey }> {
  const file = keyFile(name);
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (isThere) {
    throw new LockageError(`there is a key ${name} already: ${file}`, {
      hint: 'Give the new one another name: what the old one signed still needs it.',
    });
  }
  const made =
    type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const publicKey = publicKeyOf(made.publicKey);
  if (!publicKey) throw new TypeError(`a key that was made is not of type ${type}`);
  await writeAtomic(file, made.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  return { file, publicKey };
}
