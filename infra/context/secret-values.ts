/**
 * The secret values that this process knows, each under its name and version. All other code handles names and
 * versions only, and takes a value from here when a resource needs it.
 */
export class SecretValues {
  readonly #values = new Map<string, string>();

  /** Adds the value of a secret's version. */
  add(name: string, version: string, value: string): void {
    this.#values.set(JSON.stringify([name, version]), value);
  }

  /** Returns the value of a secret's version; undefined where this process does not know it. */
  find(name: string, version: string): string | undefined {
    return this.#values.get(JSON.stringify([name, version]));
  }

  /** Returns the value of a secret's version. Throws when this process does not know it. */
  get(name: string, version: string): string {
    const value = this.find(name, version);
    if (value === undefined) throw new Error(`the value of secret ${name} (version ${version}) is not known here`);
    return value;
  }
}
