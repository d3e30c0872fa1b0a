import type { Accessory, Environment } from '../../model/environment.ts';
import type { BackupFile } from '../../planning/restored-dump.ts';

/** An accessory whose data are dumped. */
export interface DumpPlace {
  readonly environment: Environment;
  readonly accessory: Accessory;
}

/** What of the dumps of an accessory stays when another one is taken. */
export interface DumpsToKeep {
  /** how many of the newest */
  readonly keep: number;
  /** files that stay besides, as they are recorded */
  readonly needed: readonly string[];
}

/** The dumps of data that are taken before migrations. */
export interface Dumps {
  /**
   * Writes the data of an accessory to a file of that name among the dumps of its environment, and removes all of the accessory that is
   * not to be kept. Returns its path, size and SHA-256; undefined where the accessory is not there yet. Throws LockageError: nothing was changed.
   */
  take(place: DumpPlace, name: string, kept: DumpsToKeep): Promise<BackupFile | undefined>;
}
