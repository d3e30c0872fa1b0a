import type { Environment } from '../../model/environment.ts';

/** The configuration that people write, where an operation changes it. */
export interface Configuration {
  /** Returns the path of an environment's file, as people write it. */
  fileOf(environment: string): string;
  /** Checks that a host can be taken out of its environment's file. Writes nothing. Throws LockageError. */
  checkWithoutHost(environment: Environment, host: string): Promise<void>;
  /** Takes a host out of its environment's file: as a whole, or not at all. Throws LockageError. */
  removeHost(environment: Environment, host: string): Promise<void>;
}
