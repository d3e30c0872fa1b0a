import type { EnvironmentRecord } from '../model/ledger.ts';

/** The outcome of the removal of an environment. */
export type DestroyResult =
  | { readonly outcome: 'nothing to do'; readonly environment: string }
  | {
      readonly outcome: 'destroyed';
      readonly environment: string;
      /** volumes with data that stay */
      readonly kept: readonly { readonly host: string; readonly volume: string }[];
      /** names of the hosts that it is gone from */
      readonly hosts: readonly string[];
      /** the machines that went with it, where it made its own */
      readonly machines?: readonly string[];
    };

/** The way in which an environment is removed. */
export interface RemovalOptions {
  /** the one that a person runs, and may run again */
  readonly command: 'destroy' | 'archive';
  /** also the data of its accessories */
  readonly withData: boolean;
  /** what a person is asked */
  readonly question: string;
  /** Records what has to be known before anything goes, from what is recorded under the lock. */
  before?(record: EnvironmentRecord): Promise<void>;
}
