/**
 * The only module that starts other programs: an array of arguments, never a shell's string, and a chosen environment
 * (`environment.ts`).
 */
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { childEnvironment } from './environment.ts';
import { Tail } from './tail.ts';

/** The options for starting a program. */
export interface StartOptions {
  readonly cwd?: string;
  /** all of its variables; those of `childEnvironment` by default */
  readonly env?: NodeJS.ProcessEnv;
  /** milliseconds until it is killed */
  readonly timeout?: number;
  /** in a process group of its own, which a terminal's Ctrl-C does not reach */
  readonly detached?: boolean;
}

/** Starts a program with its three streams as pipes. The caller reads them and waits for its end. */
export function startProcess(argv: readonly string[], options: StartOptions = {}): ChildProcessWithoutNullStreams {
  const [file = '', ...args] = argv;
  return spawn(file, args, { ...options, env: options.env ?? childEnvironment(), killSignal: 'SIGKILL' });
}

/** Starts a program that outlives this process, with its output at the end of a file. */
export function startDetached(argv: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const [file = '', ...args] = argv;
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: childEnvironment(),
    });
    child.on('error', () => undefined);
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/**
 * Starts a program that runs once this process has ended, however it ended: a shell waits for the end of its input, which is
 * open as long as this process lives. `cwd`: the folder that it runs in. Returns what calls that off.
 */
export function startAtEnd(argv: readonly string[], cwd = '/'): () => void {
  const script = 'while read -r line; do :; done; exec "$@"';
  const child = spawn('/bin/sh', ['-c', script, 'at-end', ...argv], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd,
    env: childEnvironment(),
  });
  child.on('error', () => undefined);
  child.unref();
  // The parent's end alone closes it.
  (child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
  return () => void child.kill('SIGKILL');
}

/**
 * Runs a program of the operator's with this process's own streams, folder and variables, and those given besides, to its end.
 * A signal that ends this process is passed on. Returns its exit code; 128 and more for a signal. Throws LockageError when it
 * cannot be started.
 */
export function runAttached(
  argv: readonly string[],
  variables: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...variables } });
    const stop = () => void child.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', stop);
      const why = cause.code === 'ENOENT' ? 'there is no such program' : cause.message;
      reject(new LockageError(`${file} cannot be run: ${why}`, { cause }));
    });
    child.on('exit', (code, ended) => {
      signal.removeEventListener('abort', stop);
      resolve(code ?? 128 + (ended === null ? 0 : constants.signals[ended]));
    });
  });
}

/** The result of a program that ran to its end. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** the bytes of `stdout` */
  readonly output: Buffer;
  readonly stderr: string;
  /** it was killed because the deadline passed */
  readonly late: boolean;
}

/** The options that a program runs with. */
export interface ProgramOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** its name in messages; that of its file by default */
  readonly called?: string;
  /** bytes of each stream that it may write; 16 MiB by default */
  readonly mostOutput?: number;
  /** is told its process */
  readonly onStart?: (pid: number) => void;
  /** gets what it writes, as it comes */
  readonly onOutput?: (stream: 'stdout' | 'stderr', data: Buffer) => void;
  /** ends it as the deadline does, with SIGINT first */
  readonly signal?: AbortSignal;
  /** it speaks to people, in the operator's language */
  readonly forPeople?: boolean;
}

/** Milliseconds that a late program gets to clean up before it is killed. */
const grace = 5000;
/** Bytes that a program may write by default: nobody reads more, and one that a hostile host answers may never end. */
const mostOutput = 16 * 1024 * 1024;

/** The running programs, each in a group of its own: this process has to end them when it ends itself. */
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => signalGroup(child, 'SIGTERM')));

/**
 * Runs a program with `stdin` to its end, or to the deadline (milliseconds), when everything that it started is ended
 * with it. Any exit code is a result. A terminal's Ctrl-C reaches this process only, which ends at a safe point. The
 * program has ended when its own process has, even if one it left in the background still holds the output open.
 * Throws LockageError when the program is not installed, or writes more than it may, and is ended then, too.
 */
export function runToEnd(
  file: string,
  args: readonly string[],
  deadline: number,
  options: ProgramOptions = {},
): Promise<Ended> {
  const { stdin = '', env = childEnvironment(), cwd } = options;
  const { called = basename(file), mostOutput: limit = mostOutput } = options;
  return new Promise((resolve, reject) => {
    const language = options.forPeople ? {} : { LC_ALL: 'C' };
    const started = { env: { ...env, ...language }, detached: true, ...(cwd === undefined ? {} : { cwd }) };
    const child = startProcess([file, ...args], started);
    running.add(child);
    if (child.pid !== undefined) options.onStart?.(child.pid);
    // a program that ends without reading breaks the pipe
    child.stdin.on('error', () => undefined).end(stdin);
    const ending = new Ending(child, deadline);
    const output = collect(child, limit, () => ending.begin());
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].on('data', (data: Buffer) => options.onOutput?.(stream, data));
    const interrupt = () => ending.begin('SIGINT');
    if (options.signal?.aborted) interrupt();
    options.signal?.addEventListener('abort', interrupt, { once: true });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      ending.release();
      running.delete(child);
      reject(notStarted(file, cause));
    });
    const finish = (code: number | null) => {
      child.stdout.destroy();
      child.stderr.destroy();
      if (output.stdout.truncated || output.stderr.truncated) return reject(floods(called, limit));
      const [bytes, stderr] = [output.stdout.bytes(), output.stderr.text()];
      resolve({ code, stdout: bytes.toString(), output: bytes, stderr, late: ending.isLate });
    };
    child.on('exit', (code) => {
      ending.release();
      options.signal?.removeEventListener('abort', interrupt);
      running.delete(child);
      if (ending.began) signalGroup(child, 'SIGKILL');
      const unread = setTimeout(() => finish(code), 100);
      child.on('close', () => {
        clearTimeout(unread);
        finish(code);
      });
    });
  });
}

/** The end of a program that does not end by itself: it is asked to, then killed, with everything that it started. */
class Ending {
  isLate = false;
  began = false;
  readonly #child: ChildProcess;
  #timer: NodeJS.Timeout;

  constructor(child: ChildProcess, deadline: number) {
    this.#child = child;
    this.#timer = setTimeout(() => {
      this.isLate = true;
      this.begin();
    }, deadline);
  }

  begin(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (this.began) return;
    this.began = true;
    clearTimeout(this.#timer);
    signalGroup(this.#child, signal);
    this.#timer = setTimeout(() => signalGroup(this.#child, 'SIGKILL'), grace);
  }

  release(): void {
    clearTimeout(this.#timer);
  }
}

type Output = Readonly<Record<'stdout' | 'stderr', Tail>>;

function collect(child: ChildProcessWithoutNullStreams, limit: number, onMore: () => void): Output {
  const output = { stdout: new Tail(limit), stderr: new Tail(limit) };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (data: Buffer) => {
      output[stream].push(data);
      if (output[stream].truncated) onMore();
    });
  }
  return output;
}

function notStarted(file: string, cause: NodeJS.ErrnoException): Error {
  const hint = file.startsWith('ssh') ? 'Install the OpenSSH client: `apt-get install openssh-client`.' : undefined;
  return cause.code === 'ENOENT'
    ? new LockageError(`${file} is not installed`, { ...(hint && { hint }), cause })
    : cause;
}

/** Makes the error of a program that writes too much. Nothing of it is shown: it may be a secret. */
function floods(called: string, limit: number): LockageError {
  return new LockageError(`${called} wrote more than ${limit} bytes, and was ended`, {
    hint: 'What it talks to is broken or hostile: run it by hand to see what it writes.',
  });
}

/**
 * Sends a signal to a program and everything it started, except daemons that it detached: those have a group of their
 * own.
 */
function signalGroup({ pid }: Pick<ChildProcess, 'pid'>, signal: NodeJS.Signals): void {
  if (pid !== undefined) tryKill(-pid, signal);
}

/** Sends a signal to a process, or to a group as a negative number. */
function tryKill(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/**
 * Kills a detached program and everything it started, or what is left of that when it has ended. On Linux also what it gave
 * a group of its own, as Pulumi does with plugins: one that was starting when Pulumi ended would stay for minutes.
 */
export function killSession(leader: number): void {
  signalGroup({ pid: leader }, 'SIGKILL');
  for (const pid of inSession(leader)) tryKill(pid, 'SIGKILL');
}

/** Kills what a program that was killed has left behind and works in a folder, as far as the system shows it. */
export function killLeft(leader: number, folder: string): void {
  for (const pid of inSession(leader)) if (worksIn(pid, folder)) tryKill(pid, 'SIGKILL');
}

function worksIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder;
  } catch {
    return false;
  }
}

function inSession(leader: number): number[] {
  const numbers = process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  return numbers.filter((pid) => sessionOf(pid) === leader).map(Number);
}

/**
 * Returns a process's session, as /proc/PID/stat has it behind the name, state, parent and group; undefined once it
 * has ended.
 */
function sessionOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[3]);
  } catch {
    return undefined;
  }
}
