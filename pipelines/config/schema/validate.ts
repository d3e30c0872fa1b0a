import type * as z from 'zod';
import type { Path, Problem } from '../source/problem.ts';
import type { Source } from '../source/source.ts';

/** Returns the typed content of a file, or undefined and the problems that its schema finds, each with its line. */
export function validate<Schema extends z.ZodType>(
  source: Source,
  schema: Schema,
): { value: z.output<Schema> | undefined; problems: Problem[] } {
  if (source.value === null) {
    return { value: undefined, problems: [{ file: source.path, line: 1, path: [], message: 'is empty' }] };
  }
  const result = schema.safeParse(source.value);
  if (result.success) return { value: result.data, problems: [] };
  const problems = result.error.issues
    .flatMap((issue) => explain(issue, []))
    .map(({ path, message }): Problem => ({ file: source.path, line: source.lineOf(path), path, message }));
  return { value: undefined, problems: problems.filter((problem) => !isReported(source, problem)) };
}

interface Explanation {
  readonly path: Path;
  readonly message: string;
}

function explain(issue: z.core.$ZodIssue, above: Path): Explanation[] {
  const path = [...above, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split('\n');
    return issue.keys.map((key, index) => ({ path: [...path, key], message: messages[index] ?? 'unknown key' }));
  }
  if (issue.code === 'invalid_key') return issue.issues.slice(0, 1).map(({ message }) => ({ path, message }));
  if (issue.code === 'invalid_union') {
    // The alternative that fails below its top, or on more than its type, is the one the user meant.
    const meant = issue.errors.find(
      (issues) => issues.length > 0 && issues.every((inner) => inner.path.length > 0 || !isWrongType(inner)),
    );
    if (meant !== undefined) return meant.flatMap((inner) => explain(inner, path));
  }
  return [{ path, message: issue.message }];
}

function isWrongType(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union';
}

/**
 * Returns whether a problem was reported before: the reader leaves out a value it has reported, and its absence is not
 * a second problem.
 */
function isReported(source: Source, { path }: Problem): boolean {
  const isAbove = (above: Path) => above.length > 0 && above.every((step, index) => path[index] === step);
  return source.value === undefined || source.problems.some((known) => isAbove(known.path));
}
