import type { Accessory, Environment } from '../../model/environment.ts';
import type { BackupFile } from '../../planning/restored-dump.ts';

/** An accessory of an environment. */
export interface AccessoryPlace {
  readonly environment: Environment;
  readonly accessory: Accessory;
}

/** The outcome of a backup. */
export interface BackupResult {
  readonly bytes: number;
  /** of its file, in hex */
  readonly sha256: string;
  /** milliseconds */
  readonly took: number;
  /** milliseconds of the restore that proved it; absent: it was not proven */
  readonly proven?: number;
}

/** The accessories of environments, on their hosts. Each call throws LockageError where one is not there. */
export interface Accessories {
  /** Stops one, starts it again and waits until it works. Throws BrokenError when it does not. */
  restart(place: AccessoryPlace): Promise<void>;
  /** Writes its data to a file, and proves that they can be restored. Throws LockageError; an earlier file is left then. */
  backUp(place: AccessoryPlace, file: string, options: { readonly prove: boolean }): Promise<BackupResult>;
  /** Checks that its data could be replaced by those of a file: it runs, and the file is whole. Throws LockageError. */
  checkBackup(place: AccessoryPlace, file: string): Promise<void>;
  /**
   * Takes the data of a file in, and returns which file that was. Throws RolledBackError where it has what it had for certain, else
   * BrokenError.
   */
  restore(place: AccessoryPlace, file: string): Promise<BackupFile>;
}
