import type { Drift } from '../../../pipelines/inspection/drift.ts';
import type { NetworkDetails } from '../../docker/api/types.ts';

type Settings = Pick<NetworkDetails, 'Name' | 'Scope'> & Partial<NetworkDetails>;

/** The settings of a network as it is made: those of the engine. */
const made = { Driver: 'bridge', Internal: false, EnableIPv6: false, Attachable: false } as const;

/** What an engine may give every network by its own configuration, or notes there of what it says elsewhere. */
const byEngine = new Set([
  'com.docker.network.driver.mtu',
  'com.docker.network.enable_ipv4',
  'com.docker.network.enable_ipv6',
]);

/** Returns how an environment's network on a host is set otherwise than it is made. One of a swarm is not looked at. */
export function networkSettings(found: Settings): Drift[] {
  const { Name: what, Scope, Options } = found;
  if (Scope !== 'local') return [];
  const members = Object.entries(made).flatMap(([member, wanted]): Drift[] => {
    const actual = found[member as keyof typeof made] ?? wanted;
    return actual === wanted ? [] : [{ what, member, expected: String(wanted), actual: String(actual) }];
  });
  const options = Object.entries(Options ?? {})
    .filter(([name]) => !byEngine.has(name))
    .map(([name, actual]): Drift => ({ what, member: `Options.${name}`, expected: 'not set', actual }));
  return [...members, ...options];
}
