/** The versions of Lockage itself and of the tools that set-up provides. */
import manifest from '../../package.json' with { type: 'json' };

/** The version of Lockage: of the command line, of its Pulumi provider, and of the npm package. */
export const lockageVersion: string = manifest.version;

/** The versions of the tools that set-up provides. */
export const toolVersions = { pulumi: '3.256.0', dockerPlugin: '5.2.0', caddy: '2.11.2', engine: '29.5.0' } as const;

/** The oldest version of an installed Pulumi CLI that is used. */
export const oldestPulumi = '3.181.0';

/** Returns whether a dotted version number is at least another one. */
export function atLeast(version: string, oldest: string): boolean {
  const have = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  const need = oldest.split('.').map(Number);
  const at = need.findIndex((part, index) => (have[index] ?? 0) !== part);
  return at === -1 || (have[at] ?? 0) > (need[at] ?? 0);
}
