/*
 * The kinds of values in the files: names, ports, durations, sizes, lists. The message of each says what is expected
 * and what was found.
 */
import * as z from 'zod';
import { didYouMean } from '../../text/suggest.ts';
import { namePattern, nameRule } from './names.ts';
import { durationPattern, parseDuration, parseSize, sizePattern } from './units.ts';

// Compiling a schema takes longer than reading a command's few files with it.
z.config({ jitless: true });

const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** An issue as zod reports it for a value that it refuses. */
export type Refusal = { readonly input?: unknown };

export const expected = (what: string) => (issue: Refusal) => instead(what, issue.input);

/** Says what was expected in place of a value. */
export function instead(what: string, value: unknown): string {
  return value === undefined ? `is missing: expected ${what}` : `expected ${what}, got ${describe(value)}`;
}

/** Describes a value for a message: short plain values as they are, anything longer by its kind. */
export function describe(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return value.length > 40 ? `${value.length} characters of text` : JSON.stringify(value);
}

/**
 * Accepts a mapping with these keys and no others; each unknown key becomes one line of the message. `elsewhere`: a key
 * that people expect here → where it belongs.
 */
export function mapping<Shape extends z.core.$ZodShape>(
  shape: Shape,
  elsewhere: Readonly<Record<string, string>> = {},
) {
  const unknown = (key: string) =>
    Object.hasOwn(elsewhere, key) ? elsewhere[key] : `unknown key${didYouMean(key, Object.keys(shape))}`;
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? issue.keys.map(unknown).join('\n') : instead('a mapping', issue.input),
  });
}

export const name = z
  .string({ error: expected('a name') })
  .regex(namePattern, { error: (issue) => instead(`a name of ${nameRule}`, issue.input) });

const variableMessage = 'expected a variable name of letters, digits and _';
export const variable = z.string({ error: variableMessage }).regex(variablePattern, { error: variableMessage });

export const text = (what: string) =>
  z.string({ error: expected(what) }).min(1, { error: `expected ${what}, got nothing` });

export const integer = (what: string, minimum: number, maximum: number) => {
  const error = expected(`${what} from ${minimum} to ${maximum}`);
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
};

export const port = integer('a port', 1, 65535);

export const duration = (example: string, minimum: string, maximum: string) => {
  const [least, most] = [parseDuration(minimum) ?? 0, parseDuration(maximum) ?? 0];
  const error = expected(`a duration such as ${example}`);
  return z
    .string({ error })
    .regex(durationPattern, { error, abort: true })
    .refine((value) => inside(parseDuration(value), least, most), {
      error: expected(`a duration from ${minimum} to ${maximum}`),
    });
};

export const size = (example: string, minimum: string, maximum: string) => {
  const [least, most] = [parseSize(minimum) ?? 0, parseSize(maximum) ?? 0];
  const error = expected(`a size such as ${example} or 1GiB`);
  return z
    .string({ error })
    .regex(sizePattern, { error, abort: true })
    .refine((value) => inside(parseSize(value), least, most), {
      error: expected(`a size from ${minimum} to ${maximum}`),
    });
};

function inside(value: number | undefined, least: number, most: number): boolean {
  return value !== undefined && value >= least && value <= most;
}

export const command = z
  .array(z.string({ error: expected('a word (quote numbers)') }), { error: (issue) => listMessage(issue.input) })
  .min(1, { error: 'expected at least one word' })
  .refine((words) => words.length === 0 || words[0] !== '', { error: 'starts with an empty word' });

function listMessage(value: unknown): string {
  if (typeof value !== 'string' || value.trim() === '') return instead('a list of words, as [node, server.mjs]', value);
  const words = /["'`$|&;<>(){}*?~#\\,[\]:]/.test(value)
    ? ['sh', '-c', JSON.stringify(value)]
    : value.trim().split(/\s+/);
  return `expected a list of words: write [${words.join(', ')}]`;
}

export const list = <Item extends z.core.SomeType>(item: Item, what: string) =>
  z.array(item, { error: expected(`a list of ${what}`) });

export const env = z
  .record(
    variable,
    z.union([z.string(), z.number(), z.boolean()], { error: 'expected text: write "" for an empty value' }),
    {
      error: expected('a mapping of variables'),
    },
  )
  .meta({
    description: 'Environment variables. Not for secrets: these are visible to whoever may inspect the container.',
  });

export const secretNames = list(variable, 'secret names').meta({
  description: 'Names of the secrets it gets as files in /run/secrets.',
});

export const absolutePath = z
  .string({ error: expected('a path') })
  .regex(/^\/(?:[^/]+(?:\/[^/]+)*)?$/, { error: expected('an absolute path') })
  .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), {
    error: 'expected a path without . and ..',
  });

export const hosts = list(name, 'host names').min(1, { error: 'expected at least one host name' });
