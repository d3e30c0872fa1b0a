import { $ } from 'zx';
import { shellWord } from '../../infra/docker/ssh/arguments.ts';
import { childEnvironment, type Variables } from '../../infra/system/environment.ts';
import { LockageError } from '../../pipelines/errors.ts';

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** added to those that every program gets */
  readonly env?: Variables;
  readonly input?: string;
  /** ms; the command is killed then */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** every line as it comes, of both streams */
  readonly onLine?: (line: string) => void;
}

/** Runs a program with arguments to its end, whatever its exit code. No shell interprets any of it. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
  const shell = $({
    // The one shell that every computer has, and its quotes: zx looks for bash, which a small image does not have.
    shell: '/bin/sh',
    prefix: '',
    quote: shellWord,
    nothrow: true,
    quiet: true,
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: childEnvironment(options.env),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.timeout ? { timeout: options.timeout } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const child = shell`${argv}`;
  if (options.onLine) {
    for await (const line of child) options.onLine(line);
  }
  const { stdout, stderr, exitCode } = await child;
  return { stdout, stderr, code: exitCode ?? 1 };
}

/** Runs a program and returns its stdout. Throws LockageError with its last lines when it fails. */
export async function mustRun(what: string, argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code === 0) return result.stdout;
  throw new LockageError(`cannot ${what}: ${argv[0]} ended with exit code ${result.code}`, {
    details: `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-12),
  });
}
