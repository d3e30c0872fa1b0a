import { readFile } from 'node:fs/promises';
import type { Host } from '../../pipelines/model/target.ts';
import type { Engine } from '../docker/api/client.ts';
import type { SshLink } from '../docker/ssh/ssh.ts';

/** The largest packets, in bytes, of a host's way out, and of the networks of its containers. */
export interface Mtus {
  readonly host: number;
  readonly network: number;
}

const option = 'com.docker.network.driver.mtu';
/** Docker's own, where nobody set another. */
const usual = 1500;
const timeout = 10_000;

/** The sockets of this computer's own engine, whose network is this computer's. */
const own = /^(\/var)?\/run\/docker\.sock$/;

/**
 * Returns a host's largest packets and those of a network there, or of Docker's default one; undefined where nobody can look: only
 * the machine itself knows its interfaces.
 */
export async function mtusOf(
  engine: Engine,
  host: Host,
  network: string,
  link?: Pick<SshLink, 'script'>,
): Promise<Mtus | undefined> {
  const found = link ? await askedOf(link) : await readHere(host);
  if (found === undefined) return undefined;
  const made = (await engine.inspectNetwork(network)) ?? (await engine.inspectNetwork('bridge'));
  const set = Number(made?.Options?.[option] ?? usual);
  return { host: found, network: set > 0 ? set : usual };
}

/** Prints what the interface of the default route carries; of a machine without IPv4, of the one of IPv6. */
const script = `
way=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
[ -n "$way" ] || way=$(awk '$1$2 !~ /[^0]/ && $10 != "lo" { print $10; exit }' /proc/net/ipv6_route)
cat "/sys/class/net/$way/mtu"
`;

async function askedOf(link: Pick<SshLink, 'script'>): Promise<number | undefined> {
  const said = await link.script(script, [], { deadline: timeout }).catch(() => undefined);
  return said?.code === 0 ? numberOf(said.stdout) : undefined;
}

async function readHere({ endpoint }: Host): Promise<number | undefined> {
  if (endpoint.kind !== 'unix' || !own.test(endpoint.socket)) return undefined;
  const [routes, later] = await Promise.all(
    ['/proc/net/route', '/proc/net/ipv6_route'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const way = defaultWay(routes, later);
  return way === undefined ? undefined : numberOf(await readFile(`/sys/class/net/${way}/mtu`, 'utf8').catch(() => ''));
}

/** Returns the interface of the default route in the kernel's tables: that of IPv4, else that of IPv6. */
export function defaultWay(ipv4 = '', ipv6 = ''): string | undefined {
  return /^(\S+)\t00000000\t/m.exec(ipv4)?.[1] ?? /^0{32} 00 .* (?!lo$)(\S+)$/m.exec(ipv6)?.[1];
}

function numberOf(text: string): number | undefined {
  const found = /^\d{2,6}$/.exec(text.trim())?.[0];
  return found === undefined ? undefined : Number(found);
}
