import type { Drift, HostDrift } from '../../inspection/drift.ts';
import type { Environment } from '../../model/environment.ts';
import type { EnvironmentRecord } from '../../model/ledger.ts';
import type { HostPart } from './hosts.ts';

/** A container or service that is about to go, with what was found of it. */
export interface Evidence extends HostPart {
  readonly drift: readonly Drift[];
}

/** What hosts have that is not as it is recorded. */
export interface DriftPort {
  /** Asks all hosts in service at once. Never throws for a host: one that does not answer says why. */
  find(environment: Environment, record: EnvironmentRecord): Promise<readonly HostDrift[]>;
  /**
   * Keeps of each what was found, which of its files differ from its image and, unless that is left out, the end of its
   * output, without secrets. Returns the folder. Throws LockageError when nothing can be written.
   */
  keep(environment: string, evidence: readonly Evidence[], options: { readonly output: boolean }): Promise<string>;
}
