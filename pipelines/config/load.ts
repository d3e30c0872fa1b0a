import path from 'node:path';
import type { Project } from '../model/environment.ts';
import { checkPipeline } from './check/pipeline.ts';
import { checkProject } from './check/project.ts';
import { resolveProject } from './resolve/project.ts';
import { environmentFile, projectFile, type EnvironmentFile } from './schema/files.ts';
import { namePattern, nameRule } from './schema/names.ts';
import { validate } from './schema/validate.ts';
import { configurationError, type Problem } from './source/problem.ts';
import { parseSource, type Source, type SourceFile, type Sources } from './source/source.ts';

export const projectFileName = 'lockage.yaml';
export const environmentsFolder = 'environments';

/**
 * Returns the project that the files describe; `root` is the absolute folder of lockage.yaml, to which their paths are
 * relative.
 * @throws LockageError (refused) with all problems at once, each with its file, line and path.
 */
export function loadConfiguration(files: readonly SourceFile[], root: string): Project {
  const { project, problems } = readConfiguration(files, root);
  if (project === undefined || problems.length > 0) throw configurationError(problems);
  return project;
}

/**
 * Reads the project as `loadConfiguration` does, but returns the problems. Rules across files are checked only once
 * each file is valid by itself.
 */
export function readConfiguration(
  files: readonly SourceFile[],
  root: string,
): { project?: Project; problems: Problem[] } {
  const { sources, problems } = parseFiles(files);
  const common = validate(sources.project, projectFile);
  problems.push(...common.problems);

  const environments = new Map<string, EnvironmentFile>();
  for (const [name, source] of sources.environments) {
    const own = validate(source, environmentFile);
    problems.push(...own.problems);
    if (own.value !== undefined) environments.set(name, own.value);
  }
  if (common.value === undefined) return { problems };

  const pipeline = checkPipeline(common.value, sources);
  problems.push(...pipeline.problems);
  problems.push(...checkProject(common.value, environments, pipeline.stages, sources, root));
  if (problems.length > 0) return { problems };
  return { project: resolveProject(common.value, pipeline.stages, environments, root), problems };
}

function parseFiles(files: readonly SourceFile[]): { sources: Sources; problems: Problem[] } {
  const problems: Problem[] = [];
  const environments = new Map<string, Source>();
  for (const file of files) {
    if (file.path === projectFileName) continue;
    const name = path.posix.basename(file.path, '.yaml');
    if (!namePattern.test(name)) {
      const message = `is not named after an environment: ${nameRule}`;
      problems.push({ file: file.path, line: 1, path: [], message });
      continue;
    }
    environments.set(name, parseSource(file));
  }
  const project = parseSource(
    files.find((file) => file.path === projectFileName) ?? { path: projectFileName, text: '' },
  );
  for (const source of [project, ...environments.values()]) problems.push(...source.problems);
  return { sources: { project, environments }, problems };
}
