import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, scrypt } from 'node:crypto';

/** A secret at one of its versions. */
export interface SecretName {
  readonly name: string;
  readonly version: string;
}

/** What a guess of the passphrase costs: 32 MiB, and a tenth of a second of a processor. */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 };
const format = 'v1';
const cipher = 'aes-256-gcm';
const saltLength = 16;
const nonceLength = 12;
const tagLength = 16;

/**
 * The key of an application's secrets. It follows from the passphrase of the state by a slow step, which is done once, and
 * only when something asks for it: so neither a version nor a sealed value is a fast test for a passphrase.
 */
export class SecretKey {
  readonly #app: string;
  readonly #passphrase: string;
  #derived: Promise<Buffer> | undefined;

  constructor(app: string, passphrase: string) {
    this.#app = app;
    this.#passphrase = passphrase;
  }

  /**
   * Returns eight hex digits that tell one value of a secret from another without revealing the value. Equal values of two
   * applications do not show as equal.
   */
  async versionOf(value: string): Promise<string> {
    const key = Buffer.from(hkdfSync('sha256', await this.#key(), '', 'version', 32));
    return createHmac('sha256', key).update(value).digest('hex').slice(0, 8);
  }

  /** Returns a value encrypted for this secret and version: in no other place can it be opened. */
  async seal(secret: SecretName, value: string): Promise<string> {
    const salt = randomBytes(saltLength);
    const nonce = randomBytes(nonceLength);
    const sealing = createCipheriv(cipher, await this.#sealingKey(salt), nonce).setAAD(asData(secret));
    const text = Buffer.concat([sealing.update(value, 'utf8'), sealing.final()]);
    return `${format}.${Buffer.concat([salt, nonce, sealing.getAuthTag(), text]).toString('base64')}`;
  }

  /** Returns the value that was sealed; undefined where this key, secret or version is not that of its sealing. */
  async open(secret: SecretName, sealed: string): Promise<string | undefined> {
    const [found, encoded = ''] = sealed.split('.');
    const bytes = Buffer.from(encoded, 'base64');
    if (found !== format || bytes.length < saltLength + nonceLength + tagLength) return undefined;
    const key = await this.#sealingKey(bytes.subarray(0, saltLength));
    const nonce = bytes.subarray(saltLength, saltLength + nonceLength);
    const rest = bytes.subarray(saltLength + nonceLength);
    const opening = createDecipheriv(cipher, key, nonce).setAAD(asData(secret)).setAuthTag(rest.subarray(0, tagLength));
    try {
      return Buffer.concat([opening.update(rest.subarray(tagLength)), opening.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  async #sealingKey(salt: Buffer): Promise<Buffer> {
    return Buffer.from(hkdfSync('sha256', await this.#key(), salt, 'seal', 32));
  }

  #key(): Promise<Buffer> {
    return (this.#derived ??= new Promise((resolve, reject) => {
      const salt = `lockage secrets of ${this.#app}`;
      scrypt(this.#passphrase, salt, 32, cost, (error, key) => (error ? reject(error) : resolve(key)));
    }));
  }
}

function asData({ name, version }: SecretName): Buffer {
  return Buffer.from(JSON.stringify([name, version]));
}

/** Returns the version that a value had before versions came from a slow step. What is recorded under it stays. */
export function formerVersion(value: string, app: string, passphrase: string): string {
  return createHmac('sha256', `${app}\n${passphrase}`).update(value).digest('hex').slice(0, 8);
}
