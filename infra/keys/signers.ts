import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { isSignedBy, type PublicKey } from '../../pipelines/model/public-key.ts';
import type { Signer } from '../../pipelines/model/signer.ts';
import type { TrustedKey } from '../../pipelines/model/trusted-key.ts';
import { steadyNow } from '../system/clock.ts';
import { runToEnd } from '../system/process.ts';
import { homeFolder } from '../system/this-user.ts';
import { keyFile } from './key-folder.ts';
import { readPrivateKey } from './private-key.ts';
import { agentHas, signByAgent } from './ssh-agent.ts';

/** Where the owner of keys is. */
export interface SignerContext {
  /** folder of lockage.yaml, which relative files count from and commands run in */
  readonly root: string;
  readonly variables: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** Milliseconds that a command gets to sign. */
const commandDeadline = 60_000;
/** The most bytes that a command may write: a signature in base64 has about a hundred. */
const mostOutput = 16 * 1024;

/** Returns who signs with a key, wherever its private part lies. Throws LockageError where that is not here. */
export async function signerOf(key: TrustedKey, context: SignerContext): Promise<Signer> {
  const sign = await waysOf(key, context);
  return {
    keyId: key.keyId,
    name: key.name,
    publicKey: { keyId: key.keyId, type: key.type, pem: key.pem },
    sign: async (bytes) => {
      const signature = await sign(bytes);
      if (isSignedBy(key, bytes, signature)) return signature;
      throw otherKey(key);
    },
  };
}

/** Returns whether the private part of a key can be used from here, without using it. */
export async function isAtHand(key: TrustedKey, context: SignerContext): Promise<boolean> {
  const source = key.private ?? { file: keyFile(key.name, context.variables) };
  if ('agent' in source) return agentHas(key, context.variables['SSH_AUTH_SOCK'], context.signal);
  // Whether a program can sign shows when it is asked to; it may ask a person then.
  if ('command' in source) return true;
  return stat(pathOf(source.file, context)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/**
 * Returns who signs here: the key that LOCKAGE_KEY names, or else the only one among these whose private part is at hand, and
 * that was neither revoked nor has ended; undefined where there is none. Throws LockageError.
 */
export async function ownSigner(keys: readonly TrustedKey[], context: SignerContext): Promise<Signer | undefined> {
  const named = context.variables['LOCKAGE_KEY'];
  if (named) {
    const key = keys.find(({ name }) => name === named);
    if (key) return signerOf(key, context);
    throw new LockageError(`LOCKAGE_KEY names ${JSON.stringify(named)}, which is no key of this project`, {
      details: [`its keys: ${keys.map(({ name }) => name).join(', ') || 'none'}`],
      hint: 'Look at them with `lockage key ls`.',
    });
  }
  const known = await Promise.all(keys.map(async (key) => ({ key, here: await isAtHand(key, context) })));
  // After a rotation the earlier key lies beside the new one, and signs nothing that counts.
  const counts = ({ revoked, until = Infinity }: TrustedKey) => revoked === undefined && steadyNow() < until;
  const [first, ...others] = known.filter(({ key, here }) => here && counts(key));
  if (!first) return undefined;
  if (others.length === 0) return signerOf(first.key, context);
  throw new LockageError('several keys of this project are at hand, and one signs', {
    details: [first, ...others].map(({ key }) => key.name),
    hint: 'Name the one with the variable LOCKAGE_KEY.',
  });
}

/**
 * Has a signer show that the private key is here: that a program is named, or an agent lists a key, says nothing of it. What is
 * signed is new each time, and begins as nothing else that counts. Throws LockageError.
 */
export async function showKey(signer: Signer): Promise<void> {
  await signer.sign(Buffer.from(`lockage key 1\n${randomBytes(32).toString('hex')}\n`));
}

type Sign = (bytes: Uint8Array) => Promise<Buffer>;

async function waysOf(key: TrustedKey, context: SignerContext): Promise<Sign> {
  const source = key.private ?? { file: keyFile(key.name, context.variables) };
  if ('agent' in source) {
    const { variables, signal } = context;
    return (bytes) => signByAgent(key, bytes, { socket: variables['SSH_AUTH_SOCK'], signal });
  }
  if ('command' in source) return (bytes) => signByCommand(key, source.command, bytes, context);
  const own = await readPrivateKey(pathOf(source.file, context));
  if (own.publicKey.keyId !== key.keyId) throw otherKey(key);
  return (bytes) => Promise.resolve(own.sign(bytes));
}

function pathOf(file: string, { root }: SignerContext): string {
  return file.startsWith('~/') ? join(homeFolder(), file.slice(2)) : resolve(root, file);
}

/**
 * Runs the owner's own program, as the command of a secret is run: with all of their variables, since only they know which
 * ones it needs.
 */
async function signByCommand(
  key: TrustedKey,
  [file = '', ...args]: readonly string[],
  bytes: Uint8Array,
  { root, variables, signal }: SignerContext,
): Promise<Buffer> {
  const options = { stdin: bytes, cwd: root, env: variables, mostOutput, ...(signal ? { signal } : {}) };
  const { code, late, output, stderr } = await runToEnd(file, args, commandDeadline, options);
  if (code === 0 && !late) return signatureIn(key, bytes, output);
  const why = late ? `gave no answer within ${commandDeadline / 1000} s` : `failed with exit code ${code ?? 'none'}`;
  throw new LockageError(`${file}, which signs for ${key.name}, ${why}`, {
    details: stderr.trim().split('\n').slice(-3),
  });
}

/** Returns the signature that a program wrote: its bytes, or base64 of them. */
function signatureIn(key: PublicKey, bytes: Uint8Array, output: Buffer): Buffer {
  if (isSignedBy(key, bytes, output)) return output;
  return Buffer.from(output.toString('latin1').trim(), 'base64');
}

function otherKey({ name, keyId }: TrustedKey): LockageError {
  return new LockageError(`what signs for ${name} has another private key than lockage.yaml has the public one of`, {
    details: [`the key id there is ${keyId}`],
    hint: 'Look at both with `lockage key ls`.',
  });
}
