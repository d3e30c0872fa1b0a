import type { Path, Problem } from '../source/problem.ts';
import type { Sources } from '../source/source.ts';

/** The problems of merged environments, each at the file that says what is wrong, and each line only once. */
export class Findings {
  readonly #sources: Sources;
  readonly #found = new Map<string, { problem: Problem; environments: Set<string> }>();

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** Adds a problem that a value has in an environment. */
  add(environment: string, path: Path, message: string): void {
    const source = this.#sourceOf(environment, path);
    const problem = { file: source.path, line: source.lineOf(path), path, message };
    const key = JSON.stringify([problem.file, path, message]);
    const found = this.#found.get(key) ?? { problem, environments: new Set() };
    found.environments.add(environment);
    this.#found.set(key, found);
  }

  /** Returns the problems. One in lockage.yaml that concerns only some of `environments` names them. */
  problems(environments: readonly string[]): Problem[] {
    return [...this.#found.values()].map(({ problem, environments: affected }) => {
      const isCommon = problem.file === this.#sources.project.path;
      if (!isCommon || affected.size === environments.length) return problem;
      return { ...problem, message: `${problem.message} (in ${[...affected].join(', ')})` };
    });
  }

  #sourceOf(environment: string, path: Path) {
    const own = this.#sources.environments.get(environment);
    const isOwn = own?.has(path) === true || path[0] === 'targets' || path.length === 0;
    return own !== undefined && isOwn ? own : this.#sources.project;
  }
}
