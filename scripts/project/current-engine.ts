import { contextUrl } from '../../infra/hosts/engine-at-hand.ts';

/** A socket whose path needs no quotes in a configuration. */
const socketPattern = /^unix:\/\/\/[\w./@+-]+$/;

/**
 * Returns the socket of the Docker Engine that the Docker CLI uses now, as `unix:///var/run/docker.sock`: Docker Desktop has
 * another one than Linux. Undefined where there is no CLI, or its engine is on another computer.
 */
export async function currentEngine(): Promise<string | undefined> {
  const url = (await contextUrl()) ?? '';
  return socketPattern.test(url) ? url : undefined;
}
