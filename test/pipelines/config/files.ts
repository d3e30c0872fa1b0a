import { loadConfiguration } from '../../../pipelines/config/load.ts';
import type { SourceFile } from '../../../pipelines/config/source/source.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import type { Project } from '../../../pipelines/model/environment.ts';

export const common = `app: shop
repository: registry.example.com/shop
roles:
  web: { port: 8080 }
`;
export const own = 'targets: [ssh://deploy@dev-1.example.com]\n';

/** A project of lockage.yaml and environments, by default a working one with the single environment dev. */
export function sourceFiles(
  lockage = common,
  environments: Readonly<Record<string, string>> = { dev: own },
): SourceFile[] {
  return [
    { path: 'lockage.yaml', text: lockage },
    ...Object.entries(environments).map(([name, text]) => ({ path: `environments/${name}.yaml`, text })),
  ];
}

export function load(lockage?: string, environments?: Readonly<Record<string, string>>): Project {
  return loadConfiguration(sourceFiles(lockage, environments), '/srv/shop');
}

/** The error's detail lines, with runs of spaces made one. */
export function problemsOf(lockage?: string, environments?: Readonly<Record<string, string>>): string[] {
  try {
    load(lockage, environments);
  } catch (error) {
    if (error instanceof LockageError) return error.details.map((line) => line.replace(/ {2,}/g, '  '));
    throw error;
  }
  return [];
}
