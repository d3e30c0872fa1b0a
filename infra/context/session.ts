import type { Connections } from '../docker/connections.ts';
import type { Bundle } from '../registry/bundle/bundle.ts';
import type { MachineFolders } from '../system/state-folders.ts';
import type { HeldLock } from './held-lock.ts';
import type { Progress, ProviderContext } from './provider-context.ts';
import type { SecretValues } from './secret-values.ts';

/** The dependencies of one command: connections to hosts, secret values, progress, and a way to stop. */
export interface Session {
  readonly connections: Connections;
  readonly secrets: SecretValues;
  /** Returns the credentials for a repository, in the form that engines take; undefined where none are stored. */
  registryAuth(repository: string): Promise<string | undefined>;
  progress(event: Progress): void;
  /** Returns a text without the secrets that this process knows, as it may be recorded. */
  mask(text: string): string;
  readonly machines: MachineFolders;
  /** absent: nothing is locked, as in a plain run of Pulumi */
  readonly lock?: HeldLock;
  /** a file with images, which are taken from it instead of a registry */
  readonly bundle?: Bundle;
  readonly signal: AbortSignal;
}

/**
 * Returns the dependencies of the provider's resources. `stoppable` work ends early when the operator wants to stop; a
 * rollback never does.
 */
export function providerContext(session: Session, stoppable: boolean): ProviderContext {
  return {
    engine: (host) => session.connections.engine(host),
    disconnect: (host) => session.connections.link(host).disconnect(),
    registryAuth: (repository) => session.registryAuth(repository),
    secrets: session.secrets,
    checkLock: async () => session.lock?.check(),
    progress: (event) => session.progress(event),
    mask: (text) => session.mask(text),
    machines: session.machines,
    signal: stoppable ? session.signal : new AbortController().signal,
  };
}
