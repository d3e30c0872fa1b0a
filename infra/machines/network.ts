/** The bridges of this machine, each with a free /24 of its own, that hosts and machines are connected to. */
import { LockageError } from '../../pipelines/errors.ts';
import { runProgram, tryRunProgram } from '../system/run-program.ts';

/**
 * Returns a /24 that nothing on this machine uses, as `10.x.y`. Taken at random, so that bridges made at once rarely
 * collide.
 */
export async function freeSubnet(): Promise<string> {
  const taken = await usedNetworks();
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const subnet = `10.${64 + Math.floor(Math.random() * 128)}.${Math.floor(Math.random() * 256)}`;
    const base = toNumber(`${subnet}.0`);
    if (!taken.some(({ first, last }) => first <= base + 255 && base <= last)) return subnet;
  }
  throw new Error('no free 10.x.y.0/24 was found on this machine');
}

/**
 * Returns the hardware address of the machine at an address on a bridge, which is alone there: locally administered
 * (IEEE 802). It is the same for the next machine at that address, as this computer looks for a new one only some time
 * after the one it knew is gone.
 */
export function hardwareAddress(address: string): string {
  const bytes = address.split('.').map((number) => Number(number).toString(16).padStart(2, '0'));
  return ['52', '54', ...bytes].join(':');
}

/**
 * Makes the bridge, gives it `SUBNET.1`, and lets everything on it communicate. A bridge that cannot be completed is
 * removed. Throws LockageError, also when something else on this machine has taken the network meanwhile.
 */
export async function createBridge(bridge: string, subnet: string): Promise<void> {
  await runProgram(['ip', 'link', 'add', bridge, 'type', 'bridge']);
  try {
    await runProgram(['ip', 'addr', 'add', `${subnet}.1/24`, 'dev', bridge]);
    await openBridge(bridge);
    await refuseTaken(bridge, subnet);
  } catch (error) {
    await removeBridge(bridge, subnet);
    throw error;
  }
}

/** Lets everything on the bridge reach each other and this machine, whatever the machine's firewall says. */
export async function openBridge(bridge: string): Promise<void> {
  await runProgram(['ip', 'link', 'set', bridge, 'up']);
  for (const rule of withinBridge(bridge)) await setRule(rule).catch(() => undefined);
}

/** Lets everything on the bridge reach whatever this machine reaches, behind its address. `removeBridge` ends it. */
export async function openWayOut(bridge: string, subnet: string): Promise<void> {
  await runProgram(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  for (const rule of wayOut(bridge, subnet)) await setRule(rule);
}

/**
 * Keeps everybody but this machine from opening a connection to what is on the bridge, and what is on it from the
 * addresses at which clouds hand out credentials. `removeBridge` ends it.
 */
export async function closeBridge(bridge: string): Promise<void> {
  for (const rule of closed(bridge)) await setRule(rule);
}

/** Removes the bridge and its firewall rules. Ignores what is already gone. */
export async function removeBridge(bridge: string, subnet: string): Promise<void> {
  for (const rule of [...wayOut(bridge, subnet), ...withinBridge(bridge), ...closed(bridge)]) {
    // Two commands that checked at the same moment may have set a rule twice.
    for (let round = 0; round < 5; round += 1) {
      if ((await tryRunProgram(iptables('-D', rule))) === undefined) break;
    }
  }
  await tryRunProgram(['ip', 'link', 'del', bridge]);
}

type Rule = readonly [table: string, ...words: string[]];

function wayOut(bridge: string, subnet: string): Rule[] {
  return [
    ['nat', 'POSTROUTING', '-s', `${subnet}.0/24`, '!', '-o', bridge, '-j', 'MASQUERADE'],
    ['filter', 'FORWARD', '-i', bridge, '-j', 'ACCEPT'],
    ['filter', 'FORWARD', '-o', bridge, '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ACCEPT'],
  ];
}

/**
 * Returns the rules for traffic within the bridge: where bridged traffic passes the firewall, Docker's policy would
 * drop what goes from one host to another.
 */
function withinBridge(bridge: string): Rule[] {
  return [
    ['filter', 'FORWARD', '-i', bridge, '-o', bridge, '-j', 'ACCEPT'],
    ['filter', 'INPUT', '-i', bridge, '-j', 'ACCEPT'],
  ];
}

/**
 * Returns the rules that close a bridge, in a table that is passed before `filter`: there, the next bridge's rules
 * would be set in front of these.
 */
function closed(bridge: string): Rule[] {
  const opened = ['-m', 'conntrack', '--ctstate', 'NEW'];
  return [
    ['mangle', 'FORWARD', '!', '-i', bridge, '-o', bridge, ...opened, '-j', 'DROP'],
    ['mangle', 'FORWARD', '-i', bridge, '-d', '169.254.0.0/16', '-j', 'DROP'],
    ['mangle', 'INPUT', '-i', bridge, '-d', '169.254.0.0/16', '-j', 'DROP'],
  ];
}

async function setRule(rule: Rule): Promise<void> {
  if ((await tryRunProgram(iptables('-C', rule))) === undefined) await runProgram(iptables('-I', rule));
}

function iptables(action: string, [table, ...rule]: Rule): string[] {
  return ['iptables', '-w', '10', '-t', table, action, ...rule];
}

async function refuseTaken(bridge: string, subnet: string): Promise<void> {
  const own = toNumber(`${subnet}.1`);
  const taken = (await usedNetworks()).filter(({ first, last }) => first <= own && own <= last);
  const other = taken.find(({ device }) => device !== bridge);
  if (!other) return;
  throw new LockageError(`the network ${subnet}.0/24 is taken by ${other.device || 'somebody else'}`, {
    hint: 'Run the same command again. If that does not help, `ip route` shows what is in the way.',
  });
}

async function usedNetworks(): Promise<{ first: number; last: number; device: string }[]> {
  const routes: unknown = JSON.parse((await runProgram(['ip', '-j', '-4', 'route', 'show', 'table', 'all'])) || '[]');
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
