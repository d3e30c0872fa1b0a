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
