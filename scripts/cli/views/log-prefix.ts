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
