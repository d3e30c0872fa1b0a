import { expect, test } from 'vitest';
import { defaultWay } from '../../../infra/hosts/mtu.ts';

const zeros = '0'.repeat(32);
const ipv4 = 'Iface\tDestination\tGateway\neth0\t00000000\t0102A8C0\neth1\t0002A8C0\t00000000\n';
const local = 'Iface\tDestination\tGateway\neth1\t0002A8C0\t00000000\n';
const ipv6 = [
  `fe800000000000000000000000000000 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001     eth1`,
  `${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     wg0`,
  `${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200       lo`,
].join('\n');
const unreachable = ipv6.split('\n').slice(2).join('\n');

test.each([
  ['IPv4', ipv4, ipv6, 'eth0'],
  ['IPv6, where there is none of IPv4', local, ipv6, 'wg0'],
  ['IPv6 alone', '', ipv6, 'wg0'],
  ['nothing, where there is none', local, unreachable, undefined],
  ['nothing, where nobody may look', '', '', undefined],
])('the way out of a computer is that of %s', (_what, four, six, way) => {
  expect(defaultWay(four, six)).toBe(way);
});
