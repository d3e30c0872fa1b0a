import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StepError } from './step.ts';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** milliseconds after which the command is ended; ten minutes unless told */
  readonly timeout?: number;
  /** each line of output as it comes */
  readonly onLine?: (line: string) => void;
  /** what a person can do when the command fails */
  readonly todo?: string;
}

const shownLines = 12;

/** Runs a command given as words, without a shell, and returns what it wrote to its standard output. */
export async function run(words: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [file = '', ...args] = words;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timeout = options.timeout ?? 600_000;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeout);
  let stdout = '';
  let all = '';
  const take = (chunk: string) => {
    all = (all + chunk).slice(-8_000);
    for (const line of chunk.split('\n')) if (line !== '') options.onLine?.(line);
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    take(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', take);
  const ending = await new Promise<string>((resolve) => {
    const ended = (code: number | null, signal: string | null) => resolve(code === 0 ? '' : `exit ${code ?? signal}`);
    child.on('error', (error) => resolve(error.message));
    child.on('close', ended);
    // A background process that inherited the pipes would keep 'close' from ever coming.
    child.on('exit', (code, signal) => void setTimeout(ended, 1_000, code, signal).unref());
  });
  clearTimeout(timer);
  if (ending === '') return stdout;
  const how = timedOut ? `gave no result within ${timeout / 1000} s` : `failed: ${ending}`;
  const todo = options.todo ?? 'see the lines above; the command can be repeated by hand, and so can this set-up.';
  throw new StepError(`\`${words.join(' ')}\` ${how}`, todo, all.trimEnd().split('\n').slice(-shownLines));
}

/** The same, for questions: undefined when the command fails or is not there. */
export async function ask(words: readonly string[], options: CommandOptions = {}): Promise<string | undefined> {
  return await run(words, { timeout: 15_000, ...options }).then(
    (text) => text.trim(),
    () => undefined,
  );
}

/** The full path of a program on PATH, or in the folders of administrators that PATH may lack. */
export function findProgram(name: string, alsoIn: readonly string[] = ['/usr/sbin', '/sbin']): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...alsoIn];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** The words to put before a command that needs root: none as root, sudo where it asks no password, else undefined. */
export async function rootWords(): Promise<string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  return (await ask(['sudo', '-n', 'true'])) === undefined ? undefined : ['sudo', '-n'];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
