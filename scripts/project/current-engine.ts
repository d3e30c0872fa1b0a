import { childEnvironment, variablesFor } from '../../infra/system/environment.ts';
import { runToEnd } from '../../infra/system/process.ts';

/** A socket whose path needs no quotes in a configuration. */
const socketPattern = /^unix:\/\/\/[\w./@+-]+$/;

/**
 * Returns the socket of the Docker Engine that the Docker CLI uses now, as `unix:///var/run/docker.sock`: Docker Desktop has
 * another one than Linux. Undefined where there is no CLI, or its engine is on another computer.
 */
export async function currentEngine(): Promise<string | undefined> {
  const words = ['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'];
  const options = { env: childEnvironment(variablesFor('docker')) };
  const asked = await runToEnd('docker', words, 10_000, options).catch(() => undefined);
  const url = asked?.code === 0 ? asked.stdout.trim() : '';
  return socketPattern.test(url) ? url : undefined;
}
