import { expect, test } from 'vitest';
import { networkSettings } from '../../../infra/workloads/container/network-settings.ts';

const made = { Name: 'shop-prod', Scope: 'local', Driver: 'bridge', Internal: false, EnableIPv6: false, Options: {} };

test.each<[string, object, string[]]>([
  ['as it was made', {}, []],
  ['with the packet size of its engine', { Options: { 'com.docker.network.driver.mtu': '1450' } }, []],
  ['cut off from the outside', { Internal: true }, ['Internal: false, not true']],
  ['of another driver', { Driver: 'macvlan' }, ['Driver: bridge, not macvlan']],
  ['that speaks IPv6', { EnableIPv6: true }, ['EnableIPv6: false, not true']],
  ['that anybody may join', { Attachable: true }, ['Attachable: false, not true']],
  [
    'on which containers do not reach each other',
    { Options: { 'com.docker.network.bridge.enable_icc': 'false' } },
    ['Options.com.docker.network.bridge.enable_icc: not set, not false'],
  ],
  ['of a swarm', { Scope: 'swarm', Driver: 'overlay', Attachable: true }, []],
])('a network %s', (_case, changes, expected) => {
  const found = networkSettings({ ...made, ...changes });
  expect(found.map((each) => `${each.member}: ${each.expected}, not ${each.actual}`)).toEqual(expected);
});
