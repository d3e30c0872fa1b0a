import type { Target } from '../../pipelines/model/target.ts';

/** Milliseconds that containers get to end before they are removed. */
export const stopGrace = 10_000;

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
