/**
 * Lockage's Pulumi provider as a plugin of its own, for a plain `pulumi preview` or `pulumi up`. It knows no secret
 * values: what needs one is made by `lockage promote`, which serves the provider itself.
 */
import { join } from 'node:path';
import { SecretValues } from '../context/secret-values.ts';
import { providerContext } from '../context/session.ts';
import { Connections } from '../docker/connections.ts';
import { exemptLoopback } from '../system/environment.ts';
import { ancestors } from '../system/socket-holder.ts';
import { homeFolder } from '../system/this-user.ts';
import { createProvider } from './provider.ts';
import { serveProvider } from './serve.ts';

exemptLoopback();
const stateDir = process.env['LOCKAGE_STATE'] ?? join(homeFolder(), '.lockage');
const context = providerContext(
  {
    connections: new Connections({ stateDir }),
    secrets: new SecretValues(),
    mask: (text) => text,
    registryAuth: async () => undefined,
    progress: ({ host, step, detail = '' }) => process.stderr.write(`${host} ${step} ${detail}\n`),
    machines: {
      machines: join(stateDir, 'machines'),
      keys: join(stateDir, 'machine-keys'),
      loadBalancers: join(stateDir, 'fronts'),
      images: join(stateDir, 'machine-images'),
    },
    signal: new AbortController().signal,
  },
  false,
);
// Only the Pulumi that started it may call it. Whose else it is after that one has ended does not matter: so it is looked at once.
const callers = await ancestors();
await serveProvider(createProvider({ context: () => context }), process.argv.slice(2), async () => callers);
