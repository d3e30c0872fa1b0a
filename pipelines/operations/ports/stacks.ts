import type { DesiredState } from '../../model/desired-state.ts';
import type { Environment } from '../../model/environment.ts';
import type { Turn } from '../../model/fence.ts';
import type { HostReport } from '../../model/host-report.ts';
import type { EnvironmentHost } from '../../model/target.ts';
import type { SecretVersions } from '../../planning/rollout-inputs.ts';
import type { HostPart } from './hosts.ts';

/** The ground that an environment stands on, as it is wanted. */
export interface FoundationRequest {
  /** with all its hosts: what stands on a cordoned one is still declared */
  readonly environment: Environment;
  /** without the cordoned hosts */
  readonly active: Environment;
  /** versions of the secrets that its accessories get */
  readonly versions: SecretVersions;
  /** what its hosts said; absent: only a change of the configuration counts */
  readonly reports?: readonly HostReport[];
  /** what is made again although it is there: it drifted. Nothing that is configured otherwise comes in with it */
  readonly drifted?: readonly HostPart[];
}

/** The hosts that are to keep a copy of what is recorded of their environment. */
export interface CopyRequest {
  readonly environment: string;
  readonly hosts: readonly EnvironmentHost[];
  /** of the operation that recorded it */
  readonly turn: Turn;
}

/** The environments as Pulumi stacks. */
export interface Stacks {
  /** Returns what making the foundation would mean, for people to read before they confirm; nothing when it stands. */
  foundationNotes(request: FoundationRequest): Promise<readonly string[]>;
  /**
   * Makes the environment's network, edges and accessories as configured. Quick when nothing is to do. Hosts that are no
   * longer configured stay until their containers are gone, and go when that is said.
   */
  foundation(request: FoundationRequest, options: { readonly leaving: 'stay' | 'go' }): Promise<void>;
  /** Records what is tried, and nothing else. Throws RecordChangedError as `deploy` does. */
  recordAttempt(desired: DesiredState): Promise<void>;
  /**
   * Runs one `pulumi up` of the environment, and gives its hosts a copy of what is recorded then. Throws
   * RecordChangedError when the record is not the one that it was decided from any more, or what failed.
   */
  deploy(desired: DesiredState, message: string): Promise<void>;
  /** Records what is there already. Makes, changes and removes nothing. Throws what failed. */
  adopt(desired: DesiredState, message: string): Promise<void>;
  /**
   * Records networks, edges and accessories that are there already as they are configured, and touches none. Returns those that
   * are otherwise, as `prod-1 trial-prod-edge`: then none is recorded. Throws LockageError.
   */
  adoptFoundation(request: FoundationRequest): Promise<readonly string[]>;
  /** Gives hosts a copy of what is recorded. One that does not take it is shown. */
  copyRecord(request: CopyRequest): Promise<void>;
}

/** The parts of an environment that are stacks of their own. */
export type StackPart = 'releases' | 'foundation';
