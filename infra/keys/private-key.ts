import { createPrivateKey, sign } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { LockageError } from '../../pipelines/errors.ts';
import { hashOf, publicKeyOf, type PublicKey } from '../../pipelines/model/public-key.ts';

/** A private key that was read, with what is public of it. */
export interface PrivateKey {
  readonly publicKey: PublicKey;
  sign(bytes: Uint8Array): Buffer;
}

/** The longest file that is read: a key has some hundred bytes. */
const longest = 16 * 1024;

/**
 * Reads a private key from a PEM file (PKCS #8). Throws LockageError when others may read the file, or it is no key of
 * Ed25519 or P-256. No message has anything of what is in it.
 */
export async function readPrivateKey(file: string): Promise<PrivateKey> {
  const found = await stat(file).catch(({ code }: NodeJS.ErrnoException) => {
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? 'unknown error');
    throw new LockageError(`the private key ${file} cannot be read: ${why}`);
  });
  if (!found.isFile() || found.size > longest) throw noKey(file, 'it is no file, or too long for a key');
  if ((found.mode & 0o077) !== 0) {
    throw new LockageError(`others may read or change the private key ${file}`, {
      details: [`its mode is 0${(found.mode & 0o777).toString(8)}`],
      hint: `Run \`chmod 600 ${file}\`, and use another key if somebody may have read it.`,
    });
  }
  const pem = await readFile(file, 'utf8');
  if (pem.includes('BEGIN ENCRYPTED')) {
    throw noKey(file, 'it is locked with a passphrase; an ssh agent or a command of yours can hold such a key');
  }
  const key = parse(file, pem);
  const publicKey = publicKeyOf(key);
  if (!publicKey) throw noKey(file, 'it is of another type than Ed25519 and P-256');
  return { publicKey, sign: (bytes) => sign(hashOf(publicKey.type), bytes, key) };
}

function parse(file: string, pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    throw noKey(file, 'it is not in PEM format');
  }
}

function noKey(file: string, why: string): LockageError {
  return new LockageError(`${file} is no private key that can sign here: ${why}`, {
    hint: 'Make one with `lockage key new NAME`.',
  });
}
