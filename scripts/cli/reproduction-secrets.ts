import { randomBytes } from 'node:crypto';
import { LockageError } from '../../pipelines/errors.ts';
import { own } from '../../pipelines/model/own.ts';
import { secretsOf, type RecordedRevision } from '../../pipelines/model/recorded-revision.ts';
import type { Reproduction, SecretOrigin } from '../../pipelines/model/reproduction.ts';
import { readSecrets, writeSecret } from '../project/reproductions.ts';
import { readSecretLines } from '../project/secret-lines.ts';
import type { ConsoleTerminal } from './terminal.ts';

/** The reproduction whose secrets get values. */
export interface SecretsWanted {
  readonly of: RecordedRevision;
  readonly folder: string;
  readonly before?: Reproduction | undefined;
  /** with `NAME=value` on each line */
  readonly file?: string | undefined;
  readonly terminal: ConsoleTerminal;
}

/** Values that are not written yet, and how each secret has its own. */
export interface SecretChoices {
  readonly origins: Readonly<Record<string, SecretOrigin>>;
  /** Writes them. Returns what puts those back that were there before. */
  keep(): Promise<() => Promise<void>>;
}

/**
 * Finds a value for each secret: from the file that was given, the one that it has here already, what a person types, else a random
 * one. Nothing is written until `keep`. Throws LockageError.
 */
export async function chooseSecrets({ of, folder, before, file, terminal }: SecretsWanted): Promise<SecretChoices> {
  const names = secretsOf(of);
  const given = file === undefined ? new Map<string, string>() : await readSecretLines(file);
  refuseUnused(file, [...given.keys()], names);
  const there = await readSecrets(folder, names);
  const values = new Map<string, string>();
  const origins: Record<string, SecretOrigin> = {};
  for (const name of names) {
    const value = given.get(name);
    if (value === undefined && there.has(name)) {
      origins[name] = own(before?.secrets, name) ?? 'generated';
      continue;
    }
    const typed = value === undefined ? await terminal.secret(`Value of ${name} (none: a random one)`) : undefined;
    origins[name] = value !== undefined ? 'file' : typed === undefined ? 'generated' : 'asked';
    values.set(name, value ?? typed ?? randomValue());
  }
  return {
    origins,
    keep: async () => {
      const earlier = await readSecrets(folder, [...values.keys()]);
      for (const [name, value] of values) await writeSecret(folder, name, value);
      return async () => {
        for (const [name, value] of earlier) await writeSecret(folder, name, value);
      };
    },
  };
}

/** Refuses a file in which nothing is meant for this environment. More than is needed may be in it. */
function refuseUnused(file: string | undefined, given: readonly string[], names: readonly string[]): void {
  if (file === undefined || given.some((name) => names.includes(name))) return;
  throw new LockageError(`${file} has no value for any of its secrets`, {
    details: [names.length === 0 ? 'it has none' : `they are ${names.join(', ')}`],
  });
}

/** Letters and digits only: it may become part of a URL. */
function randomValue(): string {
  return randomBytes(24).toString('hex');
}
