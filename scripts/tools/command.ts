/**
 * Runs programs of the machine for the lab: an array of arguments, a deadline for each, and an error that shows the
 * program's output. The lab is set-up and test machinery, so it needs no terminal, no prompts and no secrets.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { childEnvironment, type Variables } from '../../infra/system/environment.ts';
import { startProcess } from '../../infra/system/process.ts';
import { Tail } from '../../infra/system/tail.ts';

export interface RunOptions {
  /** milliseconds until the program is killed */
  readonly timeout?: number;
  readonly input?: string;
  readonly cwd?: string;
  /** added to those that every program gets */
  readonly env?: Variables;
  /** called with each line of its output as it comes */
  readonly onLine?: (line: string) => void;
}

/** A program that ended with another code than 0, or not in time. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: number | undefined;
  readonly stderr: string;

  constructor(argv: readonly string[], code: number | undefined, stderr: string, why: string) {
    const said = stderr.trim().split('\n').slice(-3).join('; ');
    super(`\`${argv.slice(0, 6).join(' ')}\` ${why}${said ? `: ${said}` : ''}`);
    this.code = code;
    this.stderr = stderr;
  }
}

/** Runs a program and returns its stdout. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = start(argv, options);
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  // What it left in the background may hold its output open for as long as it likes.
  child.once('exit', () => {
    const unread = setTimeout(() => [child.stdout, child.stderr].forEach((stream) => stream.destroy()), 1000);
    child.once('close', () => clearTimeout(unread));
  });
  const [stdout] = await Promise.all([collect(child.stdout, options.onLine), ended(argv, child, options)]);
  return stdout;
}

/** Runs a program that may fail; returns undefined then. */
export async function tryRun(argv: readonly string[], options: RunOptions = {}): Promise<string | undefined> {
  return run(argv, options).catch(() => undefined);
}

/**
 * Runs `producer | consumer` and returns the consumer's stdout. The consumer sees the end of its input only after the
 * producer succeeded: half an archive must not become an image.
 */
export async function runPiped(
  producer: readonly string[],
  consumer: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const from = start(producer, options);
  const to = start(consumer, options);
  from.stdin.on('error', () => undefined).end();
  // A consumer that ends early breaks the pipe; its own error says more.
  to.stdin.on('error', () => undefined);
  from.stdout.pipe(to.stdin, { end: false });
  const [stdout] = await Promise.all([
    collect(to.stdout, options.onLine),
    ended(consumer, to, options).finally(() => from.kill('SIGKILL')),
    ended(producer, from, options).then(
      () => to.stdin.end(),
      (error: unknown) => {
        to.kill('SIGKILL');
        throw error;
      },
    ),
  ]);
  return stdout;
}

function start(argv: readonly string[], options: RunOptions): ChildProcessWithoutNullStreams {
  return startProcess(argv, {
    env: childEnvironment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeout: options.timeout ?? 60_000,
  });
}

async function ended(
  argv: readonly string[],
  child: ChildProcessWithoutNullStreams,
  options: RunOptions,
): Promise<void> {
  const [stderr, code, signal] = await Promise.all([collect(child.stderr, options.onLine), once(child, 'close')]).then(
    ([text, [exit, killed]]): [string, number | null, string | null] => [text, exit, killed],
  );
  if (code === 0) return;
  const why = signal
    ? `was ended by ${signal} (it may take ${(options.timeout ?? 60_000) / 1000} s)`
    : `ended with code ${code}`;
  throw new CommandError(argv, code ?? undefined, stderr, why);
}

/** Bytes that are kept of each stream of a program, the last ones. */
const kept = 64 * 1024 * 1024;
/** Characters of a line that has no end yet. */
const longestLine = 10_000;

/** Returns what a stream sends until it ends, or is cut off. */
function collect(stream: Readable, onLine?: (line: string) => void): Promise<string> {
  const tail = new Tail(kept);
  const decoder = new StringDecoder('utf8');
  let rest = '';
  stream.on('data', (data: Buffer) => {
    tail.push(data);
    if (!onLine) return;
    const lines = (rest + decoder.write(data)).split(/[\r\n]+/);
    rest = (lines.pop() ?? '').slice(-longestLine);
    for (const line of lines) if (line.trim()) onLine(line.trim());
  });
  return new Promise((resolve) => stream.once('close', () => resolve(tail.text())));
}
