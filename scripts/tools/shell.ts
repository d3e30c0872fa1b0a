import type { Readable } from 'node:stream';
import { LineReader } from '../../infra/docker/api/frames.ts';
import { shellWord } from '../../infra/docker/ssh/arguments.ts';
import { childEnvironment, type Variables } from '../../infra/system/environment.ts';
import { LockageError } from '../../pipelines/errors.ts';

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
  /** it was killed because its time was over */
  readonly late: boolean;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** added to those that every program gets */
  readonly env?: Variables;
  readonly input?: string;
  /** ms; the command is killed then */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** what helps where it failed with these words */
  readonly hint?: (said: string) => string | undefined;
  /** every line as it comes, of both streams; of a line of more than a megabyte, its parts */
  readonly onLine?: (line: string) => void;
}

/** Bytes that are kept of each stream of a program, the last ones: a build may print for hours. */
const kept = 4 * 1024 * 1024;

/** The last chunks of a stream, where zx would keep all of them. */
class LastChunks extends Array<string | Buffer> {
  #size = 0;

  override push(...chunks: readonly (string | Buffer)[]): number {
    for (const chunk of chunks) {
      super.push(chunk);
      this.#size += chunk.length;
    }
    while (this.#size > kept && this.length > 1) this.#size -= this.shift()?.length ?? 0;
    return this.length;
  }
}

/**
 * Runs a program with arguments to its end, whatever its exit code. No shell interprets any of it. Of a very long output
 * the end is returned.
 */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandOutput> {
  // Loading it takes longer than many a command that needs no program.
  const { $ } = await import('zx');
  const shell = $({
    // The one shell that every computer has, and its quotes: zx looks for bash, which a small image does not have.
    shell: '/bin/sh',
    prefix: '',
    quote: shellWord,
    nothrow: true,
    quiet: true,
    store: { stdout: new LastChunks(), stderr: new LastChunks(), stdall: new LastChunks() },
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: childEnvironment(options.env),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.timeout ? { timeout: options.timeout } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const began = performance.now();
  const child = shell`${argv}`;
  const { onLine } = options;
  const ends = onLine ? [child.stdout, child.stderr].map((stream) => tellLines(stream, onLine)) : [];
  const { stdout, stderr, exitCode } = await child;
  for (const end of ends) end();
  const late = exitCode !== 0 && performance.now() - began >= (options.timeout ?? Infinity);
  return { stdout, stderr, code: exitCode ?? 1, late };
}

/**
 * Tells the lines of a stream as they come, and returns what tells the last one, if it had no line end. zx would split all that has none
 * once more with each part that comes.
 */
function tellLines(stream: Readable | null | undefined, onLine: (line: string) => void): () => void {
  const reader = new LineReader();
  const tell = (lines: Iterable<string>) => {
    for (const line of lines) onLine(line);
  };
  stream?.on('data', (data: Buffer) => tell(reader.read(data)));
  return () => tell(reader.end());
}

/** Runs a program and returns its stdout. Throws LockageError with its last lines when it fails. */
export async function mustRun(what: string, argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code === 0) return result.stdout;
  const how = result.late
    ? `did not end within ${(options.timeout ?? 0) / 1000} s`
    : `ended with exit code ${result.code}`;
  const said = `${result.stdout}\n${result.stderr}`.trim();
  const hint = options.hint?.(said);
  throw new LockageError(`cannot ${what}: ${argv[0]} ${how}`, {
    details: said.split('\n').slice(-12),
    ...(hint === undefined ? {} : { hint }),
  });
}
