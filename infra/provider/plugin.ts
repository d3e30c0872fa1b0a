/**
 * Lockage's Pulumi provider as a plugin of its own, for a plain `pulumi preview` or `pulumi up`. It knows no secret
 * values: what needs one is made by `lockage promote`, which serves the provider itself.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { main } from '@pulumi/pulumi/provider/index.js';
import { Connections } from '../docker/connections.ts';
import { createProvider } from './provider.ts';
import { SecretValues } from '../context/secret-values.ts';
import { providerContext } from '../context/session.ts';

const stateDir = process.env['LOCKAGE_STATE'] ?? join(homedir(), '.lockage');
const context = providerContext(
  {
    connections: new Connections({ stateDir }),
    secrets: new SecretValues(),
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
await main(
  createProvider(
    () => context,
    () => undefined,
  ),
  process.argv.slice(2),
);
