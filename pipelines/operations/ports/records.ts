import type { Archive } from '../../model/archive.ts';
import type { Block } from '../../model/block.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { MachineImage } from '../../model/machine-image.ts';
import type { Release } from '../../model/release.ts';

/** The records in the backend. */
export interface Records {
  /** Returns the names of all environments that are recorded, also of those that are not configured here. Throws LockageError. */
  environments(): Promise<readonly string[]>;
  /** Returns what is recorded of an environment; of one that has no ledger any more, with that of its archive. */
  environment(name: string): Promise<EnvironmentRecord>;
  releases(): Promise<readonly Release[]>;
  /** Adds releases that hosts know to those that are recorded by then. Throws LockageError as `addRelease` does. */
  addReleases(releases: readonly Release[]): Promise<void>;
  /**
   * Adds a release to those that are recorded by then. Returns it as it is recorded. Throws LockageError when its version
   * was made of something else meanwhile.
   */
  addRelease(release: Release): Promise<Release>;
  /** Returns what keeps releases out of all environments. */
  blocks(): Promise<readonly Block[]>;
  /**
   * Changes the blocks by a function of those recorded by then. Returns those recorded after it. `message` for the history.
   */
  changeBlocks(change: (blocks: readonly Block[]) => readonly Block[], message: string): Promise<readonly Block[]>;
  /** Returns who has the records that all environments share locked in the backend. */
  locks(): Promise<readonly RecordLock[]>;
  /** Lifts such locks. Throws LockedError where by now somebody else has one of those records. */
  liftLocks(locks: readonly RecordLock[]): Promise<void>;
  machineImages(): Promise<readonly MachineImage[]>;
  /** Returns the environments that were archived; one that was promoted to again counts no more, and is among them still. */
  archives(): Promise<readonly Archive[]>;
  /** Changes the archives as `changeBlocks` does the blocks. */
  changeArchives(
    change: (archives: readonly Archive[]) => readonly Archive[],
    message: string,
  ): Promise<readonly Archive[]>;
}

/** The lock of a record that all environments share. */
export interface RecordLock {
  readonly record: string;
  /** absent where the backend does not tell, nor whether there is one at all */
  readonly holder?: {
    readonly user: string;
    readonly machine: string;
    readonly pid: number;
    /** ISO 8601 */
    readonly since: string;
  };
}
