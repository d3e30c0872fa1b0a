/*
 * Sigstore bundles v0.3 with a DSSE envelope and the hint of a public key: no certificate, no log, no time stamp. Reading is
 * strict: what is not exactly of this form is refused, also where other programs would pass it over, since two readers that
 * take one text for two things are how signatures are got round.
 */
import { LockageError } from '../../errors.ts';
import { isSignedBy, type PublicKey } from '../public-key.ts';
import type { Signer } from '../signer.ts';
import { isMapping, parseStatement, type Predicate, type Statement } from './statement.ts';

export const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const payloadType = 'application/vnd.in-toto+json';
/** The longest bundle that is read, in characters: a bill of materials has some thousand entries. */
export const longestBundle = 3 * 1024 * 1024;

/** A statement whose signature was found to be of a key. */
export interface SignedStatement<Key extends PublicKey = PublicKey> extends Statement {
  readonly key: Key;
}

/** Signs a text, and returns the bundle as text. Throws LockageError when that cannot be signed. */
export async function signBundle(signer: Signer, statement: string): Promise<string> {
  const payload = Buffer.from(statement);
  const signature = await signer.sign(signedBytes(payload));
  const hint = hintOf(signer);
  return JSON.stringify({
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType,
      // No id of the key: it is not signed, and programs that have another idea of it would refuse the signature.
      signatures: [{ sig: signature.toString('base64') }],
    },
  });
}

/**
 * Reads a bundle. Throws LockageError saying why nothing in it counts: it is not of this form, no key of these signed it, or
 * what is signed is no statement.
 */
export function openBundle<Key extends PublicKey>(text: string, keys: readonly Key[]): SignedStatement<Key> {
  const { hint, payload, signature } = parseBundle(text);
  const key = keys.find((each) => hint === hintOf(each) || hint === each.keyId);
  if (!key) throw new LockageError('it is signed with a key that is not trusted here');
  if (!isSignedBy(key, signedBytes(payload), signature)) throw new LockageError('its signature is wrong');
  const statement = parseStatement(textOf(payload));
  return { ...statement, key };
}

/** Returns how a bundle names its key: the SHA-256 of the key as its id has it, in base64. */
function hintOf({ keyId }: Pick<PublicKey, 'keyId'>): string {
  return Buffer.from(keyId, 'hex').toString('base64');
}

/** Returns what is signed of a payload: the pre-authentication encoding of DSSE v1, which binds its type, too. */
function signedBytes(payload: Buffer): Buffer {
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

interface Parts {
  readonly hint: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
}

function parseBundle(text: string): Parts {
  if (text.length > longestBundle) throw new LockageError('it is longer than any bundle');
  const bundle = exactly(json(text), 'the bundle', ['mediaType', 'verificationMaterial', 'dsseEnvelope']);
  if (bundle['mediaType'] !== bundleType) throw new LockageError('it is no Sigstore bundle v0.3');
  const material = exactly(bundle['verificationMaterial'], 'verificationMaterial', ['publicKey'], ['tlogEntries']);
  const log = material['tlogEntries'];
  if (log !== undefined && !(Array.isArray(log) && log.length === 0)) {
    throw new LockageError('it has entries of a log, which nobody checks here');
  }
  const { hint } = exactly(material['publicKey'], 'publicKey', ['hint']);
  const envelope = exactly(bundle['dsseEnvelope'], 'dsseEnvelope', ['payload', 'payloadType', 'signatures']);
  if (envelope['payloadType'] !== payloadType) throw new LockageError('what is signed is no in-toto statement');
  const signatures = envelope['signatures'];
  if (!Array.isArray(signatures) || signatures.length !== 1) throw new LockageError('it has not exactly one signature');
  const { sig, keyid = '' } = exactly(signatures[0], 'signatures', ['sig'], ['keyid']);
  if (typeof hint !== 'string' || (keyid !== '' && keyid !== hint)) {
    throw new LockageError('it names two keys, or none');
  }
  return { hint, payload: base64(envelope['payload'], 'payload'), signature: base64(sig, 'sig') };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new LockageError('it is no JSON');
  }
}

function exactly(value: unknown, what: string, wanted: readonly string[], also: readonly string[] = []): Predicate {
  if (!isMapping(value)) throw new LockageError(`${what} is no mapping`);
  const keys = Object.keys(value);
  const isExact =
    wanted.every((key) => keys.includes(key)) && keys.every((key) => wanted.includes(key) || also.includes(key));
  if (!isExact) throw new LockageError(`${what} has not the members ${wanted.join(', ')}`);
  return value;
}

/** Reads base64 in its one canonical form. */
function base64(value: unknown, what: string): Buffer {
  const bytes = typeof value === 'string' && value !== '' ? Buffer.from(value, 'base64') : undefined;
  if (!bytes || bytes.toString('base64') !== value) throw new LockageError(`${what} is no base64`);
  return bytes;
}

function textOf(payload: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    throw new LockageError('what is signed is no UTF-8');
  }
}
