import type { Sources } from './load.ts';
import type { Stage } from './order.ts';
import type { Problem } from './problem.ts';
import type { EnvironmentFile, ProjectFile } from './schema.ts';

/** Problems that only show once lockage.yaml and the environments' files are seen together. */
export function checkProject(
  _file: ProjectFile,
  _environments: ReadonlyMap<string, EnvironmentFile>,
  _stages: readonly Stage[],
  _sources: Sources,
): Problem[] {
  return [];
}
