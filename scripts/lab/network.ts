/** The cables of a lab's hosts: one for each, from the lab's bridge into the host's network namespace. */
import { run, tryRun } from '../tools/command.ts';

/**
 * Makes a network namespace and its cable to the bridge. Without a default route, connections to anything outside the
 * lab fail at once.
 */
export async function connectHost(options: {
  namespace: string;
  cable: string;
  bridge: string;
  address: string;
}): Promise<void> {
  const { namespace, cable, bridge, address } = options;
  await run(['ip', 'netns', 'add', namespace]);
  await run(['ip', 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
  await run(['ip', 'link', 'set', cable, 'master', bridge, 'up']);
  const inside = (...words: string[]) => run(['ip', '-n', namespace, ...words]);
  await inside('addr', 'add', `${address}/24`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await inside('link', 'set', 'lo', 'up');
}

/** Removes what `connectHost` made; what is already gone is fine. */
export async function disconnectHost(namespace: string, cable: string): Promise<void> {
  await tryRun(['ip', 'link', 'del', cable]);
  await tryRun(['ip', 'netns', 'del', namespace]);
}
