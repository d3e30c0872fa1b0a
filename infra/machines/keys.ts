/** The key pairs of an environment's machines: one that logs in to all of them, and a host key for each. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { folderIn } from '../system/folder-in.ts';
import { runProgram } from '../system/run-program.ts';

/** A key pair in files; only the owner can read the private one. */
export interface KeyPair {
  readonly file: string;
  readonly privateKey: string;
  readonly publicKey: string;
  /** `SHA256:…` */
  readonly fingerprint: string;
}

/** Returns the file of the private key that logs in to an environment's machines. */
export function identityFile(keys: string, environment: string): string {
  return path.join(folderIn(keys, environment), 'id_ed25519');
}

/** Returns the key pair that logs in, and makes it where it is missing. */
export function identity(keys: string, environment: string): Promise<KeyPair> {
  return keyPair(identityFile(keys, environment), 'lockage');
}

/** Returns the key pair of a machine's sshd, and makes it where it is missing. */
export function hostKey(keys: string, environment: string, host: string): Promise<KeyPair> {
  return keyPair(folderIn(keys, environment, 'hosts', host), host);
}

/** Removes all keys of an environment. */
export async function forgetKeys(keys: string, environment: string): Promise<void> {
  await rm(folderIn(keys, environment), { recursive: true, force: true });
}

/** The key pairs that are being made, by file: machines made at the same time ask for one key at the same time. */
const keysInProgress = new Map<string, Promise<void>>();

async function keyPair(file: string, comment: string): Promise<KeyPair> {
  const made = keysInProgress.get(file) ?? ensureKeyPair(file, comment);
  keysInProgress.set(file, made);
  await made.finally(() => keysInProgress.delete(file));
  const [privateKey, publicKey] = await Promise.all([readFile(file, 'utf8'), readFile(`${file}.pub`, 'utf8')]);
  const hash = createHash('sha256')
    .update(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'))
    .digest('base64');
  return { file, privateKey, publicKey, fingerprint: `SHA256:${hash.replace(/=+$/, '')}` };
}

async function ensureKeyPair(file: string, comment: string): Promise<void> {
  if (existsSync(file) && existsSync(`${file}.pub`)) return;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  for (const left of [draft, `${draft}.pub`]) await rm(left, { force: true });
  await runProgram(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', draft]);
  // The private half comes last: one without the other is made again.
  await rename(`${draft}.pub`, `${file}.pub`);
  await rename(draft, file);
}
