import { colors } from '../../tools/colors.ts';

const palette = [colors.cyan, colors.magenta, colors.green, colors.yellow, colors.blue, colors.red];

/** Returns the prefix of each line of a host's output: its columns aligned, each host in a colour of its own. */
export function linePrefixes(sources: readonly (readonly [host: string, ...rest: string[]])[]): string[] {
  const hosts = [...new Set(sources.map(([host]) => host))];
  const widths: number[] = [];
  for (const source of sources) {
    for (const [index, word] of source.entries()) widths[index] = Math.max(widths[index] ?? 0, word.length);
  }
  return sources.map((source) => {
    const colour = palette[hosts.indexOf(source[0]) % palette.length] ?? String;
    return `${colour(source.map((word, index) => word.padEnd(widths[index] ?? 0)).join(' '))} `;
  });
}

/** Returns prefixes as wide as all hosts and roles need, so that a container that comes later stays aligned. */
export function prefixer(hosts: readonly string[], roles: readonly string[]): (host: string, role: string) => string {
  const pairs = hosts.flatMap((host) => [...new Set(roles)].map((role) => [host, role] as const));
  const prefixes = new Map(linePrefixes(pairs).map((text, index) => [pairs[index]?.join(' '), text]));
  return (host, role) => prefixes.get(`${host} ${role}`) ?? `${host} ${role} `;
}
