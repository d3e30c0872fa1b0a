import type { PublicKey } from './public-key.ts';

/** One who signs with a private key, wherever that lies. */
export interface Signer {
  /** that of the public key */
  readonly keyId: string;
  /** the name of the key in the configuration */
  readonly name: string;
  readonly publicKey: PublicKey;
  /**
   * Returns the signature over these bytes: 64 bytes for Ed25519, DER for P-256. Throws LockageError, also when what was
   * signed does not fit the public key.
   */
  sign(bytes: Uint8Array): Promise<Buffer>;
}
