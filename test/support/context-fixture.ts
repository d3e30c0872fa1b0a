import { join } from 'node:path';
import type { ProviderContext } from '../../infra/context/provider-context.ts';
import { SecretValues } from '../../infra/context/secret-values.ts';
import { providerContext, type Session } from '../../infra/context/session.ts';
import { Connections } from '../../infra/docker/connections.ts';

/** Returns the dependencies of a command whose files lie in a folder. Each call stands for another process. */
export function sessionIn(folder: string, parts: Partial<Session> = {}): Session {
  const at = (name: string) => join(folder, name);
  return {
    connections: new Connections({ stateDir: folder }),
    secrets: new SecretValues(),
    mask: (text) => text,
    registryAuth: async () => undefined,
    progress: () => undefined,
    machines: { machines: at('machines'), keys: at('keys'), loadBalancers: at('load-balancers'), images: at('images') },
    signal: new AbortController().signal,
    ...parts,
  };
}

/** Returns the dependencies of the provider's resources for such a command, whose work is never ended early. */
export function contextIn(folder: string, parts?: Partial<Session>): ProviderContext {
  return providerContext(sessionIn(folder, parts), false);
}
