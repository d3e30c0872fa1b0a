import type { Environment } from '../model/environment.ts';
import type { SignaturePolicy } from '../model/evidence/signature-policy.ts';
import type { Gate } from '../model/gate.ts';
import type { HostReport } from '../model/host-report.ts';
import type { EnvironmentRecord } from '../model/ledger.ts';
import type { Release } from '../model/release.ts';
import type { EnvironmentHost } from '../model/target.ts';
import type { Healing } from './healing.ts';

/** The actor, application, time and name of an operation. */
export interface OperationInfo {
  readonly app: string;
  /** `user@machine` */
  readonly actor: string;
  /** milliseconds since 1970 */
  readonly now: number;
  /** name of this operation, another one each time */
  readonly operation: string;
}

/** The versions of an environment's secrets: name → short hash of the value. */
export type SecretVersions = Readonly<Record<string, string>>;

/** Everything that a rollout is decided from. */
export interface RolloutInputs extends OperationInfo {
  /** without its cordoned hosts */
  readonly environment: Environment;
  readonly release: Release;
  readonly record: EnvironmentRecord;
  readonly reports: readonly HostReport[];
  readonly versions: SecretVersions;
  /** role → its number of containers from now on; absent where nothing is scaled */
  readonly counts?: Readonly<Record<string, number>>;
  /** the machines that those of the environment take over from, with everything; the record is as if they had run it */
  readonly replaces?: readonly EnvironmentHost[];
  /** the gates that the release has passed, for people to read; absent where it runs already */
  readonly gates?: readonly Gate[];
  /** what is asked of signatures by then, for the record */
  readonly policy?: SignaturePolicy;
  /** what drifted, and is made again: the reports do not count it as there */
  readonly heals?: Healing;
}
