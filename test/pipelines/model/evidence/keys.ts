import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { hashOf, publicKeyOf, type KeyType } from '../../../../pipelines/model/public-key.ts';
import type { Signer } from '../../../../pipelines/model/signer.ts';
import { statementKinds, type TrustedKey } from '../../../../pipelines/model/trusted-key.ts';

/** A key with its private part, as its owner has it. */
export interface OwnedKey {
  readonly key: TrustedKey;
  readonly signer: Signer;
  readonly privateKey: KeyObject;
}

/** Makes a key that may sign everything, everywhere, unless `changes` say otherwise. */
export function ownedKey(name: string, changes: Partial<TrustedKey> = {}, type: KeyType = 'ed25519'): OwnedKey {
  const { publicKey, privateKey } =
    type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const found = publicKeyOf(publicKey);
  if (!found) throw new Error('a key of another type');
  const signer = {
    keyId: found.keyId,
    name,
    publicKey: found,
    sign: async (bytes: Uint8Array) => sign(hashOf(type), bytes, privateKey),
  };
  return { key: { name, ...found, signs: statementKinds, ...changes }, signer, privateKey };
}
