import type { Environment } from '../../pipelines/model/environment.ts';
import type { HostReport, PreflightReport } from '../../pipelines/model/host-report.ts';
import type { Trait } from '../../pipelines/model/host-traits.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { HostView } from '../../pipelines/inspection/observation.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { Session } from '../context/session.ts';
import type { CallOptions, Engine, LogOptions, OutputLine } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import type { ContainerInputs, Place } from '../resources/inputs.ts';
import type { Inventory } from '../../pipelines/model/inventory.ts';
import type { Workload } from './workload.ts';

/** A place where releases run, with everything that differs from one kind of place to another. */
export interface Runtime {
  /** Returns a part of a release as it runs there. */
  workload(context: ProviderContext, inputs: ContainerInputs): Workload;
  /** Reports what it has of an environment before a change. Throws LockageError when it cannot be used. */
  report(survey: Survey): Promise<HostReport>;
  /** Reports the same, and what it is made of, with the traits that are wanted. */
  preflight(survey: Survey, wanted: readonly Trait[]): Promise<PreflightReport>;
  /** Returns why the engine of one of an environment's hosts cannot speak for it now, or undefined. */
  hostProblem(engine: Engine): Promise<HostProblem | undefined>;
  /** Reports an environment for `status`. */
  view(engine: Engine, look: Look): Promise<HostView>;
  /** Returns why it did not answer, in the light of what the others said; undefined when it did. */
  silence(view: HostView, views: readonly HostView[]): string | undefined;
  /** Lists everything of an environment, whatever the record says. `ownLock`: the lock there is held by who asks. */
  inventory(engine: Engine, place: Place, ownLock: boolean): Promise<Inventory>;
  /** Removes all of an inventory, containers first; data only if `withData`. What is gone already is fine. */
  removeInventory(engine: Engine, inventory: Inventory, withData: boolean): Promise<void>;
  /** Removes what is of an environment's releases and has none of these names. */
  removeOthers(session: RemovalSession, place: Place, kept: ReadonlySet<string>): Promise<void>;
  /** Lists what is of an environment's releases. */
  releaseParts(engine: Engine, place: Place, options: CallOptions): Promise<ReleasePart[]>;
  /** Reads the output of a part of a release. */
  logs(engine: Engine, name: string, options: LogOptions): AsyncIterable<OutputLine>;
  /** Returns a container in which commands can be run, of a part of a release. Throws LockageError when there is none. */
  execTarget(connections: Connections, name: string): Promise<ExecTarget>;
}

/** The environment that a target is asked about before a change. */
export interface Survey {
  readonly connections: Pick<Connections, 'engine'>;
  readonly app: string;
  readonly environment: Environment;
  /** what the environment's hosts have said, where more than they are asked */
  readonly hosts: readonly HostReport[];
}

/** Why a host cannot speak for a target, and what helps. */
export interface HostProblem {
  readonly problem: string;
  readonly hint: string;
}

/** What somebody wants to see of an environment. */
export interface Look extends Place {
  readonly record: EnvironmentRecord;
  /** ask each container since when it runs, and the edge for its routes */
  readonly closely: boolean;
  readonly signal: AbortSignal;
}

/** What a removal needs of a session. */
export type RemovalSession = Pick<Session, 'connections' | 'progress'>;

/** A part of a release, as it is found where it runs. */
export interface ReleasePart {
  readonly role: string;
  readonly version: string;
  readonly container: string;
  readonly runs: boolean;
}

/** A container and the engine that it is on. */
export interface ExecTarget {
  readonly engine: Engine;
  readonly container: string;
}
