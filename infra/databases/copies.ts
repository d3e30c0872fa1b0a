import type { ForkAddress } from '../../pipelines/databases/kinds.ts';

/** A copy that runs. */
export interface Fork extends ForkAddress {
  /** of its container, or inside of one */
  readonly name: string;
}

/** What makes pristine copies of one baked database, and takes them away. */
export interface CopySource {
  /** Makes a copy that can be used. Throws LockageError; nothing of it is left then. */
  make(): Promise<Fork>;
  /** Makes a pristine copy of one that was used, with less work than another one. Throws where it cannot be certain of it. */
  renew?(used: Fork): Promise<Fork>;
  /** Takes one away with its data, also from whoever is connected to it. */
  drop(copy: Fork): Promise<void>;
  /** Ends what it holds besides copies. */
  close(): void | Promise<void>;
}
