import type { SecretKey } from './secret-key.ts';

/**
 * The secret values that this process knows, each under its name and version. All other code handles names and
 * versions only, and takes a value from here when a resource needs it.
 */
export class SecretValues {
  readonly #values = new Map<string, string>();
  readonly #key: SecretKey | undefined;

  /** `key` seals what is declared and opens what is recorded; absent in a process that knows no value. */
  constructor(key?: SecretKey) {
    this.#key = key;
  }

  /** Adds the value of a secret's version. */
  add(name: string, version: string, value: string): void {
    this.#values.set(JSON.stringify([name, version]), value);
  }

  /** Returns the value of a secret's version. Throws when this process does not know it. */
  get(name: string, version: string): string {
    const value = this.#values.get(JSON.stringify([name, version]));
    if (value === undefined) throw new Error(`the value of secret ${name} (version ${version}) is not known here`);
    return value;
  }

  /** Returns the value of a secret's version as it may be in a message; undefined where this process does not know it. */
  async sealed(name: string, version: string): Promise<string | undefined> {
    const value = this.#values.get(JSON.stringify([name, version]));
    return value === undefined ? undefined : this.key.seal({ name, version }, value);
  }

  /** The key of the application's secrets. Throws in a process that has none. */
  get key(): SecretKey {
    if (!this.#key) throw new Error('this process has no key for secrets');
    return this.#key;
  }
}
