import { systemError } from '../../infra/system/system-error.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';

/** The result of one check: good, worth knowing, or a problem. */
export interface Check {
  /** the line's first word: `node`, `prod-1` */
  readonly name: string;
  readonly level: 'good' | 'warning' | 'bad';
  readonly text: string;
  /** further lines */
  readonly details?: readonly string[];
  readonly hint?: string;
}

export const good = (name: string, text: string): Check => ({ name, level: 'good', text });

export const warning = (name: string, text: string, hint?: string): Check => ({
  name,
  level: 'warning',
  text,
  ...(hint ? { hint } : {}),
});

export const bad = (name: string, text: string, hint?: string): Check => ({
  name,
  level: 'bad',
  text,
  ...(hint ? { hint } : {}),
});

/** Runs a check and returns its results, or the error that stopped it as one. */
export async function checking(name: string, work: () => Promise<Check | readonly Check[]>): Promise<readonly Check[]> {
  try {
    return [await work()].flat();
  } catch (thrown) {
    const error = systemError(thrown) ?? thrown;
    if (!(error instanceof LockageError)) return [bad(name, messageOf(error))];
    const { message, details, hint } = error;
    const text = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
    return [{ name, level: 'bad', text, details, ...(hint ? { hint } : {}) }];
  }
}
