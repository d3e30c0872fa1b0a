/*
 * Shapes of JSON: what an answer has to be before anybody reads it. A shape returns the value with its gaps filled, and says where
 * it is something else than it has to be; fields that it does not name pass unseen.
 */

/** Checks a value found `at` a place of an answer. Throws MisfitError. */
export type Shape = (value: unknown, at: string) => unknown;

/** An error for a value of another kind than it has to be. */
export class MisfitError extends Error {}

function ofType(type: 'string' | 'number' | 'boolean', called: string): Shape {
  return (value, at) => {
    if (typeof value !== type) throw new MisfitError(`${at} is no ${called}`);
    return value;
  };
}

export const text = ofType('string', 'text');
export const number = ofType('number', 'number');
export const flag = ofType('boolean', 'boolean');
export const anything: Shape = (value) => value;

/** A text that is wholly as a pattern says, which is called so. */
export function like(pattern: RegExp, called: string): Shape {
  return (value, at) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw new MisfitError(`${at} is no ${called}`);
    return value;
  };
}

export function list(shape: Shape): Shape {
  return (value, at) => {
    if (!Array.isArray(value)) throw new MisfitError(`${at} is no list`);
    return value.map((each, index) => shape(each, `${at}[${index}]`));
  };
}

/** An object whose keys may be any, with values of one shape. */
export function map(shape: Shape): Shape {
  return (value, at) =>
    Object.fromEntries(
      Object.entries(objectAt(value, at)).map(([key, each]) => [key, shape(each, `a value of ${at}`)]),
    );
}

/** An object with these fields, and others. */
export function record(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, at) => {
    const found = objectAt(value, at);
    const checked = Object.entries(fields).map(([key, shape]) => [key, shape(found[key], `${at}.${key}`)] as const);
    return { ...found, ...Object.fromEntries(checked.filter(([, each]) => each !== undefined)) };
  };
}

/** Something that may be absent, or null where a program has nothing. */
export function maybe(shape: Shape): Shape {
  return (value, at) => (value === undefined || value === null ? value : shape(value, at));
}

/** Something in the place of which this stands where it is absent, or null. */
export function or(shape: Shape, otherwise: unknown): Shape {
  return (value, at) => shape(value ?? otherwise, at);
}

function objectAt(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new MisfitError(`${at} is no object`);
}
