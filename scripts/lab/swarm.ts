/** A Docker Swarm of a lab's hosts: the first one creates it, the others join it, each in its planned part. */
import { execInHost } from './host.ts';
import type { StateFile } from './state.ts';

const answerTimeout = 60_000;

/** Joins the nodes of an environment to one swarm; does nothing if its hosts are not nodes. */
export async function formSwarm(file: StateFile, environment: string): Promise<void> {
  const [first, ...others] = file.state.hosts.filter((host) => host.environment === environment && host.node);
  if (!first) return;
  const docker = (host: string, ...words: string[]) =>
    execInHost(file, host, ['docker', 'swarm', ...words], { timeout: answerTimeout });
  await docker(first.name, 'init', '--advertise-addr', first.address);
  const token = async (node: string) => (await docker(first.name, 'join-token', '--quiet', node)).trim();
  const tokens = { manager: await token('manager'), worker: await token('worker') };
  // One after the other: each new manager changes the quorum, and two at once may wait for each other.
  for (const { name, address, node = 'worker' } of others) {
    await docker(name, 'join', '--token', tokens[node], '--advertise-addr', address, `${first.address}:2377`);
  }
}
