/** Bridges of this machine, each with a free /24 of its own, that hosts and machines are connected to. */
import { program, tryProgram } from './program.ts';

/** A /24 that nothing on this machine uses, as `10.x.y`. Taken at random, so that bridges made at once rarely meet. */
export async function freeSubnet(random: () => number = Math.random): Promise<string> {
  const taken = await usedNetworks();
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const subnet = `10.${64 + Math.floor(random() * 128)}.${Math.floor(random() * 256)}`;
    const base = toNumber(`${subnet}.0`);
    if (!taken.some(({ first, last }) => first <= base + 255 && base <= last)) return subnet;
  }
  throw new Error('no free 10.x.y.0/24 was found on this machine');
}

/** Makes the bridge, gives it `SUBNET.1`, and lets what is on it talk whatever the machine's firewall says. */
export async function createBridge(bridge: string, subnet: string): Promise<void> {
  await program(['ip', 'link', 'add', bridge, 'type', 'bridge']);
  await program(['ip', 'addr', 'add', `${subnet}.1/24`, 'dev', bridge]);
  await program(['ip', 'link', 'set', bridge, 'up']);
  const others = (await usedNetworks()).filter(
    ({ first, last, device }) =>
      device !== bridge && first <= toNumber(`${subnet}.1`) && toNumber(`${subnet}.1`) <= last,
  );
  if (others.length > 0) throw new Error(`${subnet}.0/24 was taken by ${others[0]?.device} at the same moment`);
  // Where bridged traffic passes the firewall, Docker's policy would drop what goes from one host to another.
  for (const rule of firewallRules(bridge)) await tryProgram(['iptables', '-w', '10', '-I', ...rule]);
}

/** Lets what is on the bridge reach whatever this machine reaches, behind its address. `removeBridge` ends it. */
export async function openWayOut(bridge: string, subnet: string): Promise<void> {
  await program(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  for (const [table, ...rule] of wayOut(bridge, subnet)) {
    const words = (action: string) => ['iptables', '-w', '10', '-t', table, action, ...rule];
    if ((await tryProgram(words('-C'))) === undefined) await program(words('-I'));
  }
}

function wayOut(bridge: string, subnet: string): [table: string, ...rule: string[]][] {
  return [
    ['nat', 'POSTROUTING', '-s', `${subnet}.0/24`, '!', '-o', bridge, '-j', 'MASQUERADE'],
    ['filter', 'FORWARD', '-i', bridge, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-o', bridge, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ACCEPT'],
  ];
}

/** Takes away the bridge and its firewall rules; what is already gone is fine. */
export async function removeBridge(bridge: string, subnet: string): Promise<void> {
  for (const [table, ...rule] of wayOut(bridge, subnet)) {
    await tryProgram(['iptables', '-w', '10', '-t', table, '-D', ...rule]);
  }
  for (const rule of firewallRules(bridge)) {
    // A creator that died and was run again may have added a rule twice.
    for (let round = 0; round < 5; round += 1) {
      if ((await tryProgram(['iptables', '-w', '10', '-D', ...rule])) === undefined) break;
    }
  }
  await tryProgram(['ip', 'link', 'del', bridge]);
}

function firewallRules(bridge: string): string[][] {
  return [
    ['FORWARD', '-i', bridge, '-o', bridge, '-j', 'ACCEPT'],
    ['INPUT', '-i', bridge, '-j', 'ACCEPT'],
  ];
}

async function usedNetworks(): Promise<{ first: number; last: number; device: string }[]> {
  const routes: unknown = JSON.parse((await program(['ip', '-j', '-4', 'route', 'show', 'table', 'all'])) || '[]');
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route: { dst?: string; dev?: string }) => {
    const [address = '', bits = '32'] = (route.dst ?? '').split('/');
    if (!/^\d+\.\d+\.\d+\.\d+$/.test(address)) return [];
    const first = toNumber(address);
    return [{ first, last: first + 2 ** (32 - Number(bits)) - 1, device: route.dev ?? '' }];
  });
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}
