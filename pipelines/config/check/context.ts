import type { Environment } from '../../model/environment.ts';
import type { Written } from '../resolve/merge.ts';
import type { EnvironmentFile, ProjectFile } from '../schema/files.ts';
import type { Path } from '../source/problem.ts';

/** An environment as the rules see it: as written, and with every default filled in. */
export interface Checked {
  readonly app: string;
  readonly file: ProjectFile;
  readonly own: EnvironmentFile;
  readonly written: Written;
  readonly resolved: Environment;
  readonly report: Report;
}

/**
 * A function that reports a problem of an environment; in a list of names, the last step of the path is the name
 * itself.
 */
export type Report = (path: Path, message: string) => void;
