import type { Target } from './target.ts';

/** What a target has of an environment, by its labels. */
export interface Inventory {
  readonly host: Target;
  readonly containers: readonly { readonly name: string; readonly part: string; readonly running: boolean }[];
  readonly networks: readonly string[];
  /** without the lock of who asks */
  readonly volumes: readonly string[];
  /** volumes with an accessory's data */
  readonly data: readonly string[];
  /** of a swarm: secrets in its managers' store */
  readonly secrets: readonly string[];
}

/** Returns how many things it lists that a removal takes away: data counts only if that goes, too. */
export function countOf(inventory: Inventory, withData: boolean): number {
  return inventoryNames(inventory, withData).length;
}

/** Returns the names of everything it lists that a removal takes away, containers first. */
export function inventoryNames(inventory: Inventory, withData: boolean): string[] {
  const { containers, networks, volumes, data, secrets } = inventory;
  return [...containers.map(({ name }) => name), ...networks, ...volumes, ...secrets, ...(withData ? data : [])];
}
