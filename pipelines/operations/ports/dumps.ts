import type { Accessory, Environment } from '../../model/environment.ts';

/** An accessory whose data are dumped. */
export interface DumpPlace {
  readonly environment: Environment;
  readonly accessory: Accessory;
}

/** The dumps of data that are taken before migrations. */
export interface Dumps {
  /**
   * Writes the data of an accessory to a file of that name among the dumps of its environment, and removes all but the newest `keep` of
   * the accessory. Returns its path and size; undefined where the accessory is not there yet. Throws LockageError: nothing was changed.
   */
  take(
    place: DumpPlace,
    name: string,
    keep: number,
  ): Promise<{ readonly file: string; readonly bytes: number } | undefined>;
}
