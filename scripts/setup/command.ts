import { findProgram as findOnPath } from '../../infra/system/find-program.ts';
import { messageOf } from '../../pipelines/errors.ts';
import { CommandError, run as runProgram, tryRun, type RunOptions } from '../tools/command.ts';
import { StepError } from './step.ts';

export interface CommandOptions extends RunOptions {
  /** what a person can do when the command fails */
  readonly todo?: string;
}

const tenMinutes = 600_000;
const shownLines = 12;

/** Runs a command of a step, given as words, and returns what it wrote; a failure says what to do about it. */
export async function run(words: readonly string[], options: CommandOptions = {}): Promise<string> {
  const timeout = options.timeout ?? tenMinutes;
  try {
    return await runProgram(words, { ...options, timeout });
  } catch (error) {
    const todo = options.todo ?? 'see the lines above; the command can be repeated by hand, and so can this set-up.';
    const [how, said] =
      error instanceof CommandError
        ? [
            error.code === undefined ? `was ended (it has ${timeout / 1000} s)` : `failed: exit ${error.code}`,
            error.stderr,
          ]
        : [`does not run: ${messageOf(error)}`, ''];
    const lines = said.trimEnd().split('\n').slice(-shownLines);
    throw new StepError(`\`${words.join(' ')}\` ${how}`, todo, lines[0] === '' ? [] : lines);
  }
}

/** Runs a command that asks something; returns undefined when it fails or does not exist. */
export async function ask(words: readonly string[], options: RunOptions = {}): Promise<string | undefined> {
  return (await tryRun(words, { timeout: 15_000, ...options }))?.trim();
}

/** Returns the full path of a program on PATH, or in the folders of administrators that PATH may lack. */
export function findProgram(name: string, alsoIn: readonly string[] = ['/usr/sbin', '/sbin']): string | undefined {
  return findOnPath(name, alsoIn);
}

/**
 * Returns the words to put before a command that needs root: none as root, sudo if it asks for no password, else
 * undefined.
 */
export async function rootWords(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  return (await ask(['sudo', '-n', 'true'])) === undefined ? undefined : ['sudo', '-n'];
}
