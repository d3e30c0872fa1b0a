import type { Environment } from '../model/environment.ts';
import type { Release } from '../model/release.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import type { HostReport } from '../model/host-report.ts';
import type { EnvironmentHost } from '../model/target.ts';
import type { Context } from '../operations/ports.ts';

/** What a rollout is decided from. */
export interface RolloutInputs {
  /** with the hosts that are in service */
  readonly environment: Environment;
  readonly release: Release;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  /** secret name → value */
  readonly values: Readonly<Record<string, string>>;
  /** role → its number of containers from now on; absent where nothing is scaled */
  readonly counts?: Readonly<Record<string, number>>;
  /** the machines that those of the environment take over from, with everything; the record is as if they had run it */
  readonly replaces?: readonly EnvironmentHost[];
}

export interface Versioning {
  readonly secrets: Pick<Context['secrets'], 'version'>;
}
