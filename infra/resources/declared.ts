import { createHash } from 'node:crypto';
import { canonicalJson } from '../../pipelines/model/fingerprint.ts';
import { withoutBasis } from './basis.ts';

/** A resource by its type and its name within a stack. */
export interface ResourceName {
  readonly type: string;
  readonly name: string;
}

/** The resources that a program declares. */
class Declarations {
  readonly #hashes = new Map<string, Set<string>>();

  /** Records that the program of this process declares a resource with these inputs. */
  add(resource: ResourceName, inputs: object): void {
    const key = keyOf(resource);
    this.#hashes.set(key, (this.#hashes.get(key) ?? new Set()).add(hashOf(inputs)));
  }

  /** Returns whether a resource is declared, with whatever inputs. */
  hasName(resource: ResourceName): boolean {
    return this.#hashes.has(keyOf(resource));
  }

  /** Returns whether a resource is declared with these inputs. */
  has(resource: ResourceName, inputs: object): boolean {
    return this.#hashes.get(keyOf(resource))?.has(hashOf(inputs)) ?? false;
  }

  /** Forgets all: a program begins or has ended. */
  clear(): void {
    this.#hashes.clear();
  }
}

/** What the program that this process runs now declares. */
export const declarations = new Declarations();

/** Declares a resource, with the mark of what its inputs were made from and as they are recorded, without it. */
export function declare(resource: ResourceName, inputs: object): void {
  declarations.add(resource, inputs);
  declarations.add(resource, withoutBasis(inputs));
}

/** The questions that a provider asks of them. */
export type DeclaredResources = Pick<Declarations, 'has' | 'hasName'>;

function keyOf({ type, name }: ResourceName): string {
  return JSON.stringify([type, name]);
}

/** Returns the hash of inputs. Only hashes stay: there are values of secrets among the inputs. */
function hashOf(inputs: object): string {
  return createHash('sha256').update(canonicalJson(inputs)).digest('base64');
}
