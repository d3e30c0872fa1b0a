import type { JobResult } from '../../pipelines/model/verification.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { SshHost, Target } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import { Edge } from '../edge/edge.ts';
import type { Place } from '../resources/inputs.ts';
import type { MachineFolders } from '../system/state-folders.ts';
import type { SecretValues } from './secret-values.ts';

/** An event on a host, shown to the user as progress. */
export interface Progress {
  readonly host: string;
  /** `create`, `healthy`, `switch` … */
  readonly step: string;
  readonly detail?: string;
  /** milliseconds from its start to this event */
  readonly took?: number;
  /** moved to the host */
  readonly bytes?: number;
  /** of a pull: a layer and its bytes so far */
  readonly layer?: { readonly id: string; readonly current: number; readonly total: number };
}

/** The dependencies of the provider's resources: hosts, secret values, progress, and a way to stop. */
export interface ProviderContext {
  engine(host: Target): Promise<Engine>;
  /** Ends the ssh connection to a host for every process of this user. */
  disconnect(host: SshHost): Promise<void>;
  /** Returns the credentials for a repository, in the form that engines take; undefined where none are stored. */
  registryAuth(repository: string): Promise<string | undefined>;
  readonly secrets: SecretValues;
  /**
   * Asks whether the environment's lock is still held, once a second at most. To be called before something is stopped
   * or removed by its name: this computer may have slept since it looked, and what has that name may serve by now. Throws
   * OvertakenError.
   */
  checkLock(): Promise<void>;
  progress(event: Progress): void;
  /** Returns a text without the secrets that this process knows, as it may be recorded. */
  mask(text: string): string;
  /** receives how jobs ended, for the record; absent: nobody records it */
  readonly jobResults?: JobResult[];
  /** receives for how long nothing of a role ran, role → ms, for the record; absent: nobody records it */
  readonly gaps?: Record<string, number>;
  readonly machines: MachineFolders;
  /** the routes of this operation while they are sent to every host; absent: not sent yet */
  readonly delivered?: Promise<void>;
  /** what is declared is there already: it is recorded, and nothing is made, changed or removed */
  readonly adopts?: true;
  /** what gives way to another one although it looks like what is wanted: see `partKey` */
  readonly replaced?: ReadonlySet<string>;
  /** aborted when the operator wants to stop: work then ends at the next safe point */
  readonly signal: AbortSignal;
}

/** Returns the edge of an environment on a host. */
export async function edgeOf(context: ProviderContext, place: Place, host: Target): Promise<Edge> {
  return new Edge(await context.engine(host), environmentNames(place.app, place.environment).edge);
}

/** Returns how a part of a host is known in `replaced`. */
export function partKey(host: Pick<Target, 'name'>, name: string): string {
  return `${host.name} ${name}`;
}
