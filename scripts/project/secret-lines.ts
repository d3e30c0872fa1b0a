import { readFile } from 'node:fs/promises';
import { LockageError } from '../../pipelines/errors.ts';

/**
 * Reads a file with a secret on each line, as `NAME=value`; empty lines and those that begin with # are none. A value in double
 * quotes has `\n`, `\"` and `\\` for what they stand for; one in single quotes is taken as it is. Throws LockageError, which
 * quotes no line.
 */
export async function readSecretLines(file: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'there is no such file' : (error.code ?? error.message);
    throw new LockageError(`${file} cannot be read: ${why}`, { hint: `Give one with \`NAME=value\` on each line.` });
  });
  const found = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const [, name, value] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]{0,127})=(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw unreadable(file, index + 1, 'is not `NAME=value`');
    const plain = unquoted(value.trim());
    if (plain === '') throw unreadable(file, index + 1, `has no value for ${name}`);
    found.set(name, plain);
  }
  return found;
}

/** Says where, and never what stands there. */
function unreadable(file: string, line: number, why: string): LockageError {
  return new LockageError(`${file}: line ${line} ${why}`, {
    hint: 'Write `NAME=value` on each line; values of several lines as `"first\\nsecond"`.',
  });
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquoted(value: string): string {
  if (/^'.*'$/.test(value)) return value.slice(1, -1);
  if (!/^".*"$/.test(value)) return value;
  return value.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);
}
