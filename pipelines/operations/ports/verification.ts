import type { PlacedJob } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { EnvironmentHost } from '../../model/target.ts';
import type { JobResult } from '../../model/verification.ts';

/** An image that a job names itself, and the host that needs it. */
export interface JobImage {
  readonly host: EnvironmentHost;
  readonly image: string;
}

/** The jobs that are run against environments. */
export interface Verification {
  /**
   * Gets the images that jobs name to the hosts that need them. Returns by which name they have them: as configured → name.
   * Changes nothing that serves. Throws LockageError.
   */
  prepare(environment: Environment, images: readonly JobImage[]): Promise<Readonly<Record<string, string>>>;
  /** Runs jobs one after the other, all of them. Returns how each one ended. Throws LockageError where none can be run. */
  run(environment: Environment, jobs: readonly PlacedJob[]): Promise<readonly JobResult[]>;
}
