import { engineKey } from '../../model/endpoint.ts';
import { hostsOf, swarmName, targetsOf } from '../resolve/targets.ts';
import type { EnvironmentFile } from '../schema/files.ts';
import type { Report } from './context.ts';

/** Checks the targets of an environment: no name and no engine may appear twice. */
export function checkTargets(environment: string, own: EnvironmentFile, root: string, report: Report): boolean {
  const { list, path, isSwarm } = targetsOf(own);
  let usable = true;
  const refuse = (index: number, key: string, message: string) => {
    usable = false;
    const isPlain = typeof list[index] === 'string';
    report(isPlain ? [...path, index] : [...path, index, key], message);
  };

  const hosts = hostsOf(environment, list, root);
  for (const [index, host] of hosts.entries()) {
    const sameName = hosts.findIndex((other) => other.name === host.name);
    const sameEngine = hosts.findIndex((other) => engineKey(other.endpoint) === engineKey(host.endpoint));
    if (sameEngine < index) refuse(index, 'url', `is the same Docker Engine as ${hosts[sameEngine]?.name}`);
    else if (isSwarm && host.name === swarmName)
      refuse(index, 'name', `${swarmName} is what the swarm itself is called`);
    else if (sameName < index)
      refuse(index, 'name', `${host.name} is also the name of ${hosts[sameName]?.endpoint.url}`);
  }
  return usable;
}
