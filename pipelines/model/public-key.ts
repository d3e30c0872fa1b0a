import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';

/** What a key signs with: Ed25519 (RFC 8032), or ECDSA on P-256 with SHA-256 and signatures in DER. */
export type KeyType = 'ed25519' | 'p256';

/** A public key, and the name that follows from it. */
export interface PublicKey {
  /** 64 hex digits: the SHA-256 of its SubjectPublicKeyInfo (RFC 5280) in DER */
  readonly keyId: string;
  readonly type: KeyType;
  /** its SubjectPublicKeyInfo as PEM */
  readonly pem: string;
}

/** The longest text of a public key: those of both types are far shorter. */
const longest = 4096;

/**
 * Reads a public key: PEM (`BEGIN PUBLIC KEY`), or a line as OpenSSH writes it (`ssh-ed25519 …`, `ecdsa-sha2-nistp256 …`).
 * Returns undefined for anything else, also for keys of other types.
 */
export function parsePublicKey(text: string): PublicKey | undefined {
  const written = text.trim();
  if (written.length > longest) return undefined;
  try {
    return publicKeyOf(written.startsWith('-----BEGIN PUBLIC KEY-----') ? createPublicKey(written) : sshKey(written));
  } catch {
    return undefined;
  }
}

/** Returns what is public of a key; undefined when it is of another type. */
export function publicKeyOf(key: KeyObject | undefined): PublicKey | undefined {
  const type = key && typeOf(key);
  if (!key || !type) return undefined;
  const own = key.type === 'private' ? createPublicKey(key) : key;
  const der = own.export({ format: 'der', type: 'spki' });
  const pem = own.export({ format: 'pem', type: 'spki' }).toString();
  return { keyId: createHash('sha256').update(der).digest('hex'), type, pem };
}

/** Returns whether a signature over these bytes is of this key. Never throws: what is no signature is of no key. */
export function isSignedBy({ pem, type }: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(hashOf(type), bytes, pem, signature);
  } catch {
    return false;
  }
}

/** Returns the hash that a key type signs, by Node.js' name; null where the algorithm hashes by itself. */
export function hashOf(type: KeyType): 'sha256' | null {
  return type === 'p256' ? 'sha256' : null;
}

/** Returns a public key as OpenSSH sends it (RFC 4253, section 6.6; RFC 5656; RFC 8709): how an agent names its keys. */
export function sshBlob({ pem, type }: PublicKey): Buffer {
  const { x = '', y = '' } = createPublicKey(pem).export({ format: 'jwk' });
  const point = [x, y].map((each) => Buffer.from(each, 'base64url'));
  if (type === 'ed25519') return Buffer.concat([sshString('ssh-ed25519'), sshString(point[0] ?? '')]);
  const parts = ['ecdsa-sha2-nistp256', 'nistp256', Buffer.concat([Buffer.from([4]), ...point])];
  return Buffer.concat(parts.map(sshString));
}

/** Returns text or bytes behind their length in four bytes, as ssh has them. */
export function sshString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Reads a text or bytes from their length on. Returns them with what follows. Throws RangeError when they are cut short. */
export function takeSshString(bytes: Buffer): { readonly value: Buffer; readonly rest: Buffer } {
  const end = 4 + bytes.readUInt32BE(0);
  if (end > bytes.length) throw new RangeError('cut short');
  return { value: bytes.subarray(4, end), rest: bytes.subarray(end) };
}

function typeOf(key: KeyObject): KeyType | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 ? 'p256' : undefined;
}

function sshKey(line: string): KeyObject | undefined {
  const [kind = '', base64 = ''] = line.split(/\s+/);
  const name = takeSshString(Buffer.from(base64, 'base64'));
  if (name.value.toString() !== kind) return undefined;
  const first = takeSshString(name.rest);
  if (kind === 'ssh-ed25519' && first.value.length === 32 && first.rest.length === 0) {
    return createPublicKey({
      format: 'jwk',
      key: { kty: 'OKP', crv: 'Ed25519', x: first.value.toString('base64url') },
    });
  }
  if (kind !== 'ecdsa-sha2-nistp256' || first.value.toString() !== 'nistp256') return undefined;
  const { value: point, rest } = takeSshString(first.rest);
  if (point.length !== 65 || point[0] !== 4 || rest.length > 0) return undefined;
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
  return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' } });
}
