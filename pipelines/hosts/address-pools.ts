/** A range of addresses that an engine takes subnets from: `172.80.0.0/16` in pieces of /24. */
export interface AddressPool {
  readonly base: string;
  readonly size: number;
}

/** The pools of an engine that was told none. https://docs.docker.com/engine/network/#subnet-allocation */
const builtIn: readonly AddressPool[] = [
  ...['172.17.0.0/16', '172.18.0.0/16', '172.19.0.0/16', '172.20.0.0/14', '172.24.0.0/14', '172.28.0.0/14'].map(
    (base) => ({
      base,
      size: 16,
    }),
  ),
  { base: '192.168.0.0/16', size: 20 },
];

/** Addresses from the first up to, and without, the last. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns a subnet that a new network could get beside those that are used; undefined where all are used. What else the host has routes to
 * is not known, and takes more of them. Of IPv6, nothing is said.
 */
export function freeSubnet(pools: readonly AddressPool[] = builtIn, used: readonly string[] = []): string | undefined {
  const taken = used.flatMap((subnet) => spanOf(subnet) ?? []).sort((a, b) => a.from - b.from);
  for (const { base, size } of pools) {
    const span = spanOf(base);
    if (!span || !(size >= 1 && size <= 32)) continue;
    const from = firstFree(span, 2 ** (32 - size), taken);
    if (from !== undefined) return `${addressOf(from)}/${size}`;
  }
  return undefined;
}

/** Goes from one used subnet to the end of it, as there may be millions of pieces. */
function firstFree(pool: Span, length: number, taken: readonly Span[]): number | undefined {
  let from = pool.from;
  for (const { from: start, to } of taken) {
    if (start >= from + length) break;
    if (to > from) from = pool.from + Math.ceil((to - pool.from) / length) * length;
  }
  return from + length <= pool.to ? from : undefined;
}

function spanOf(subnet: string): Span | undefined {
  const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(subnet);
  if (!found) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = found.slice(1).map(Number);
  if (bits > 32 || [a, b, c, d].some((part) => part > 255)) return undefined;
  const length = 2 ** (32 - bits);
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const from = Math.floor(address / length) * length;
  return { from, to: from + length };
}

function addressOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
