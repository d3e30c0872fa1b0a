import { Edge } from '../edge/edge.ts';
import type { Engine } from '../docker/api/client.ts';
import type { Place } from '../resources/inputs.ts';
import type { SecretValues } from './secret-values.ts';
import type { MachineFolders } from '../system/state-folders.ts';
import { environmentNames } from '../../pipelines/model/names.ts';
import type { SshHost, Target } from '../../pipelines/model/target.ts';

/** What happened on a host, for people who watch. */
export interface Progress {
  readonly host: string;
  /** `create`, `healthy`, `switch` … */
  readonly step: string;
  readonly detail?: string;
  /** from its start to this, in milliseconds */
  readonly took?: number;
  /** moved to the host */
  readonly bytes?: number;
  /** of a pull: a layer and its bytes so far */
  readonly layer?: { readonly id: string; readonly current: number; readonly total: number };
}

/** What the provider's resources work with: hosts, secret values, somebody to tell, and a way to stop. */
export interface ProviderContext {
  engine(host: Target): Promise<Engine>;
  /** Ends the ssh connection to a host for every process of this user. */
  disconnect(host: SshHost): Promise<void>;
  /** The credentials for a repository, as engines take them; undefined where none are stored. */
  registryAuth(repository: string): Promise<string | undefined>;
  readonly secrets: SecretValues;
  progress(event: Progress): void;
  readonly machines: MachineFolders;
  /** the routes of this operation are on their way to every host; absent: nobody has sent them yet */
  readonly delivered?: Promise<void>;
  /** aborted when the operator wants to stop: work ends at the next safe point */
  readonly signal: AbortSignal;
}

/** Returns the edge of an environment on a host. */
export async function edgeOf(context: ProviderContext, place: Place, host: Target): Promise<Edge> {
  return new Edge(await context.engine(host), environmentNames(place.app, place.environment).edge);
}
