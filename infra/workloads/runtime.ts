import type { Drift } from '../../pipelines/inspection/drift.ts';
import type { HostView } from '../../pipelines/inspection/observation.ts';
import type { Environment } from '../../pipelines/model/environment.ts';
import type { HostReport, PreflightReport, RunningMigration } from '../../pipelines/model/host-report.ts';
import type { Trait } from '../../pipelines/model/host-traits.ts';
import type { Inventory } from '../../pipelines/model/inventory.ts';
import type { EnvironmentRecord } from '../../pipelines/model/ledger.ts';
import type { ProviderContext } from '../context/provider-context.ts';
import type { Session } from '../context/session.ts';
import type { CallOptions, Engine, LogOptions, OutputLine } from '../docker/api/client.ts';
import type { Connections } from '../docker/connections.ts';
import type { AccessoryInputs, ContainerInputs, EdgeInputs, FoundationInputs, Place } from '../resources/inputs.ts';
import type { Workload } from './workload.ts';

/** A target on which releases run, with everything that differs between kinds of targets. */
export interface Runtime {
  /** Returns a workload of a release that runs there. */
  workload(context: ProviderContext, inputs: ContainerInputs): Workload;
  /** Reports what it has of an environment before a change. Throws LockageError when it cannot be used. */
  report(survey: Survey): Promise<HostReport>;
  /** Reports the same, with its facts and the wanted traits. */
  preflight(survey: Survey, wanted: readonly Trait[]): Promise<PreflightReport>;
  /** Returns why the engine of one of an environment's hosts cannot speak for it now, or undefined. */
  hostProblem(engine: Engine): Promise<HostProblem | undefined>;
  /** Reports an environment for `status`. */
  view(engine: Engine, look: Look): Promise<HostView>;
  /** Returns what is not as it is recorded, and as it was made. */
  drift(engine: Engine, look: DriftLook): Promise<readonly Drift[]>;
  /** Returns why it did not answer, in view of the answers of the others; undefined when it did. */
  silence(view: HostView, views: readonly HostView[]): string | undefined;
  /** Lists everything of an environment, whatever the record says. `ownLock`: the caller holds the lock there. */
  inventory(engine: Engine, place: Place, ownLock: boolean): Promise<Inventory>;
  /** Removes everything in an inventory, containers first; data only where that is asked for. Ignores what is already gone. */
  removeInventory(engine: Engine, inventory: Inventory, clearing: Clearing): Promise<void>;
  /**
   * Removes the workloads of an environment's releases that have none of these names, but no migration that is at work: returns
   * those.
   */
  removeOthers(session: RemovalSession, place: Place, kept: ReadonlySet<string>): Promise<readonly RunningMigration[]>;
  /** Ends what runs, or is about to, of some roles. Throws LockageError unless nothing of them runs any more. */
  endRoles(context: ProviderContext, place: Place, ending: Ending): Promise<void>;
  /** Lists the workloads of an environment's releases. */
  releaseParts(engine: Engine, place: Place, options: CallOptions): Promise<ReleasePart[]>;
  /** Returns the names of the workloads of an environment's releases, each with the hash of its specification. */
  specHashes(engine: Engine, place: Place): Promise<ReadonlyMap<string, string>>;
  /** Reads the output of a workload. */
  logs(engine: Engine, name: string, options: LogOptions): AsyncIterable<OutputLine>;
  /** Returns a container of a workload in which commands can be run. Throws LockageError when there is none. */
  execTarget(connections: Connections, name: string): Promise<ExecTarget>;
}

/** The way in which everything of an environment is removed. */
export interface Clearing {
  /** also the data of its accessories */
  readonly withData: boolean;
  /** Throws when somebody else has taken over: what is there by now is theirs. */
  checkLock(): Promise<void>;
}

/** The environment that a report covers, and how to reach it. */
export interface Survey {
  readonly connections: Pick<Connections, 'engine'>;
  readonly app: string;
  readonly environment: Environment;
  /** the reports of the environment's hosts, for an orchestrator; empty for a host */
  readonly hosts: readonly HostReport[];
}

/** The reason why a host cannot speak for a target, and a hint. */
export interface HostProblem {
  readonly problem: string;
  readonly hint: string;
}

/** The options of a look at an environment. */
export interface Look extends Place {
  readonly record: EnvironmentRecord;
  /** also ask each container since when it runs */
  readonly detailed: boolean;
  readonly signal: AbortSignal;
}

/** The options of a look for drift. */
export interface DriftLook extends Place {
  readonly record: EnvironmentRecord;
  readonly standing: StandingRecord;
  readonly signal: AbortSignal;
}

/** What is recorded of an environment that stays while releases come and go. */
export interface StandingRecord {
  readonly edges: readonly EdgeInputs[];
  readonly accessories: readonly AccessoryInputs[];
  /** what all of it was made from; absent where there is none */
  readonly foundation?: FoundationInputs;
}

/** What has to end. */
export interface Ending {
  readonly roles: readonly string[];
  /** names of workloads that stay */
  readonly except: ReadonlySet<string>;
  /** name → milliseconds that it gets to end by itself; absent: as by default */
  readonly graces: ReadonlyMap<string, number>;
}

/** The parts of a session that a removal needs. */
export type RemovalSession = Pick<Session, 'connections' | 'progress' | 'lock'>;

/** A workload of a release, as it is found where it runs. */
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
