import type { Progress, ProviderContext } from './provider-context.ts';
import type { Connections } from '../docker/connections.ts';
import type { MachineFolders } from '../system/state-folders.ts';

/** What Lockage works with in this process: connections to hosts, secret values, and somebody to tell. */
export interface Session {
  readonly connections: Connections;
  /** `NAME@version` → value, of the secrets this process has read */
  readonly secretValues: Map<string, string>;
  /** the credentials for a repository, as engines take them */
  registryAuth(repository: string): Promise<string | undefined>;
  progress(event: Progress): void;
  readonly machines: MachineFolders;
  readonly signal: AbortSignal;
}

/** The provider's workshop; `stoppable` work ends early when the operator wants to stop, going back never does. */
export function providerContext(session: Session, stoppable: boolean): ProviderContext {
  return {
    engine: (host) => session.connections.engine(host),
    disconnect: (host) => session.connections.link(host).disconnect(),
    registryAuth: (repository) => session.registryAuth(repository),
    secretValue: (name, version) => {
      const value = session.secretValues.get(`${name}@${version}`);
      if (value === undefined) throw new Error(`the value of secret ${name} (version ${version}) is not known here`);
      return value;
    },
    progress: (event) => session.progress(event),
    machines: session.machines,
    signal: stoppable ? session.signal : new AbortController().signal,
  };
}
