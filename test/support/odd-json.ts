import * as fc from 'fast-check';

type Path = readonly (string | number)[];

/** Returns the paths of all values in a JSON value, itself included. */
function pathsOf(value: unknown): Path[] {
  if (typeof value !== 'object' || value === null) return [[]];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [[], ...entries.flatMap(([key, below]) => pathsOf(below).map((path) => [key, ...path]))];
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  // No JSON gives a list another length than it has.
  if (Array.isArray(value) && key === 'length') return value;
  const copy: any = Array.isArray(value) ? [...value] : { ...(value as object) };
  const below = replaced(copy[key], rest, by);
  if (below === undefined && !Array.isArray(copy)) delete copy[key];
  else copy[key] = below;
  return copy;
}

const nasty = [
  null,
  true,
  0,
  -1,
  1.5,
  1e300,
  '',
  ' ',
  '../x',
  '\u0000',
  '\u001b[31m',
  '__proto__',
  'constructor',
  [],
  {},
  [[]],
];
const odd = fc.oneof(
  fc.constantFrom(...nasty, undefined),
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary' }),
);

/** Makes JSON values like this one, with something else in one or two places, or nothing there, or one field more. */
export function withOddity(value: unknown): fc.Arbitrary<unknown> {
  const change = fc.tuple(fc.constantFrom(...pathsOf(value)), odd, fc.option(fc.string()));
  return fc.array(change, { minLength: 1, maxLength: 2 }).map((changes) =>
    changes.reduce<unknown>((found, [path, by, key]) => {
      const isThere = path.every((_, index) => hasPath(found, path.slice(0, index + 1)));
      return isThere ? replaced(found, key === null ? path : [...path, key], by) : found;
    }, value),
  );
}

function hasPath(value: unknown, [key, ...rest]: Path): boolean {
  if (key === undefined) return true;
  if (typeof value !== 'object' || value === null || !(key in value)) return false;
  return hasPath((value as any)[key], rest);
}
