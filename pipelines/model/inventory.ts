import type { Target } from './target.ts';

/** The things of an environment on a target, found by their labels. */
export interface Inventory {
  readonly host: Target;
  readonly containers: readonly { readonly name: string; readonly part: string; readonly running: boolean }[];
  readonly networks: readonly string[];
  /** volumes, without the lock of the command that asks */
  readonly volumes: readonly string[];
  /** volumes with an accessory's data */
  readonly data: readonly string[];
  /** of a swarm: secrets in its managers' store */
  readonly secrets: readonly string[];
}

/** Returns how many of the listed things a removal takes away: data counts only if it is removed, too. */
export function countOf(inventory: Inventory, withData: boolean): number {
  return inventoryNames(inventory, withData).length;
}

/** Returns the names of everything listed that a removal takes away, containers first. */
export function inventoryNames(inventory: Inventory, withData: boolean): string[] {
  const { containers, networks, volumes, data, secrets } = inventory;
  return [...containers.map(({ name }) => name), ...networks, ...volumes, ...secrets, ...(withData ? data : [])];
}
