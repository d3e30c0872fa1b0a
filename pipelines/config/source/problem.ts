import { LockageError } from '../../errors.ts';
import { shortened } from '../../text/shortened.ts';

/** The keys and list indexes that lead from the top of a file to a value. */
export type Path = readonly (string | number)[];

/** A problem in a configuration file that has to be fixed before anything can be done. */
export interface Problem {
  readonly file: string;
  /** counted from 1 */
  readonly line: number;
  readonly path: Path;
  readonly message: string;
}

const mostShown = 50;

/** Makes one error of all problems, one aligned line each: `environments/prod.yaml:12  roles.web.prot  unknown key`. */
export function configurationError(problems: readonly Problem[]): LockageError {
  const sorted = [...problems].sort(byPlace);
  const rows = sorted
    .slice(0, mostShown)
    .map(({ file, line, path, message }) => [`${file}:${line}`, pathText(path), message] as const);
  const placeWidth = Math.max(...rows.map(([place]) => place.length));
  const pathWidth = Math.min(40, Math.max(...rows.map(([, path]) => path.length)));
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const details = rows.map(([place, path, message]) =>
    [place.padEnd(placeWidth), ...(pathWidth === 0 ? [] : [path.padEnd(pathWidth)]), message].join('  '),
  );
  if (sorted.length > rows.length) details.push(`… and ${sorted.length - rows.length} more`);
  const lines = problems.length === 1 ? 'the line' : 'the lines';
  return new LockageError(`the configuration has ${count}`, {
    details,
    hint: `Correct ${lines} above and run the command again.`,
  });
}

/** Writes a path as people do, `roles.web.command[1]`; keys that would be misread are quoted. */
export function pathText(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      const key = /^[\w/-]+$/.test(step) ? step : JSON.stringify(shortened(step, 40));
      return index === 0 ? key : `.${key}`;
    })
    .join('');
}

function byPlace(a: Problem, b: Problem): number {
  // lockage.yaml is what the other files build on, so its problems are read first.
  const depth = a.file.split('/').length - b.file.split('/').length;
  return depth || (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line;
}
