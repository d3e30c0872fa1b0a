import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { endpointOf, hostname, type TlsFiles } from '../../pipelines/model/endpoint.ts';
import type { Host } from '../../pipelines/model/target.ts';
import { childEnvironment, variablesFor } from '../system/environment.ts';
import { runToEnd } from '../system/process.ts';

/** The name of its host. */
const here = 'here';
const usualEngine = 'unix:///var/run/docker.sock';
const contextTimeout = 10_000;

/** Returns the host of the engine that `docker` uses: that of `DOCKER_HOST`, else of its current context. Throws LockageError. */
export async function engineAtHand(variables: NodeJS.ProcessEnv): Promise<Host> {
  const url = variables['DOCKER_HOST'] || (await contextUrl()) || usualEngine;
  const tls = tlsOf(variables);
  const endpoint = endpointOf(here, { url, ...(tls && url.startsWith('tcp:') ? { tls } : {}) });
  return { kind: 'host', name: here, address: hostname(endpoint) ?? '127.0.0.1', endpoint };
}

/** Returns the certificates that `docker` uses for a port; undefined where none are named. */
export function tlsOf({ DOCKER_CERT_PATH: folder }: NodeJS.ProcessEnv): TlsFiles | undefined {
  if (!folder) return undefined;
  return { ca: join(folder, 'ca.pem'), cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
}

/** Returns the engine's URL of Docker's current context. Undefined where Docker's command line is not there: an engine needs none. */
export async function contextUrl(): Promise<string | undefined> {
  const words = ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'];
  const env = childEnvironment(variablesFor('docker'));
  const ended = await runToEnd('docker', words, contextTimeout, { env }).catch((error: unknown) => {
    if (error instanceof LockageError) return undefined;
    throw error;
  });
  return ended?.code === 0 ? ended.stdout.trim() : undefined;
}
