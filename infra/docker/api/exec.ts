import { Readable, type Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultDeadline, reasonOf } from '../../system/deadline.ts';
import { Tail } from '../../system/tail.ts';
import { answers } from './answers.ts';
import { EngineError } from './errors.ts';
import { FrameReader } from './frames.ts';
import type { Transport } from './transport.ts';
import { parsedJson } from './wire.ts';
import type { ExecOptions, ExecResult, OutputStream } from './types.ts';

/** A command that is run in a container, and where its engine is asked. */
interface Command {
  readonly transport: Transport;
  /** of the version of the API */
  readonly prefix: string;
  /** what is done, for messages */
  readonly what: string;
  readonly options: ExecOptions;
  /** when its time is over, by `performance.now` */
  readonly end: number;
}

/** Implements `Engine.exec`. */
export async function exec(
  { transport, prefix }: Pick<Command, 'transport' | 'prefix'>,
  container: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const what = `run ${argv[0] ?? 'a command'} in ${container}`;
  const end = performance.now() + deadlineOf(options);
  const command: Command = { transport, prefix, what, options, end };
  const id = await createExec(command, container, argv);
  const socket = await transport.hijack({
    what,
    method: 'POST',
    path: `${prefix}/exec/${id}/start`,
    body: { Detach: false, Tty: false },
    deadline: callTime(command),
    signal: options.signal,
  });
  const conversation = exchangeStreams(command, socket);
  if (options.stdin !== undefined)
    hangUpOnUnreadStdin(socket, () => exitCode(command, id)).catch((error: Error) => socket.destroy(error));
  const output = await conversation;
  return { code: await exitCode(command, id), ...output };
}

function timeLeft({ end }: Command): number {
  return Math.max(1, end - performance.now());
}

/** Returns the time for a call: however long the command may take, its start is a call like any other. */
function callTime(command: Command): number {
  return Math.min(timeLeft(command), defaultDeadline);
}

/**
 * Closes the connection when a command ends without reading its stdin; the engine keeps it open for the rest of the
 * input.
 */
async function hangUpOnUnreadStdin(socket: Duplex, ended: () => Promise<number>): Promise<void> {
  await sleep(200);
  if (socket.destroyed) return;
  await ended();
  // What the command wrote last is still on its way. Input that is only on its way looks as if it had been read.
  const quiet = socket.writableFinished ? 2000 : 100;
  let last = performance.now();
  socket.on('data', () => (last = performance.now()));
  while (!socket.destroyed && performance.now() - last < quiet) await sleep(50);
  socket.destroy();
}

async function createExec(command: Command, container: string, argv: readonly string[]): Promise<string> {
  const { transport, prefix, what, options } = command;
  const { body } = await transport.request({
    what,
    method: 'POST',
    path: `${prefix}/containers/${encodeURIComponent(container)}/exec`,
    body: {
      Cmd: argv,
      AttachStdin: options.stdin !== undefined,
      AttachStdout: true,
      AttachStderr: true,
      ...(options.user === undefined ? {} : { User: options.user }),
      ...(options.workingDir === undefined ? {} : { WorkingDir: options.workingDir }),
      ...(options.env ? { Env: Object.entries(options.env).map(([name, value]) => `${name}=${value}`) } : {}),
    },
    deadline: callTime(command),
    signal: options.signal,
  });
  return parsedJson<{ Id: string }>(transport.host, what, body, answers.created).Id;
}

/** Writes stdin, closes that half, and reads until the other side closes. */
function exchangeStreams(command: Command, socket: Duplex): Promise<Omit<ExecResult, 'code'>> {
  const { what, options } = command;
  const { host } = command.transport;
  const limit = options.maxOutput ?? 1024 * 1024;
  const kept = { stdout: new Tail(limit), stderr: new Tail(limit) };
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const late = `not ended within ${deadlineOf(options) / 1000} s`;
    const timer = setTimeout(() => fail(new EngineError(host, what, late)), timeLeft(command));
    const giveUp = () => fail(reasonOf(options.signal));
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', giveUp);
    };
    options.signal?.addEventListener('abort', giveUp, { once: true });
    if (options.signal?.aborted) return giveUp();
    readOutput(socket, kept, options);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (isUnread(socket, error, options)) return;
      fail(new EngineError(host, what, `the connection broke: ${error.message}`, { cause: error }));
    });
    socket.on('close', () => {
      settle();
      resolve({ ...textOf(kept), wrote: hasWritten(socket, options) });
    });
    options.stdout?.once('error', fail);
    if (options.stdin instanceof Readable) options.stdin.once('error', fail).pipe(socket);
    else if (options.stdin !== undefined) socket.end(options.stdin);
    socket.resume();
  });
}

function deadlineOf({ deadline = defaultDeadline }: ExecOptions): number {
  return deadline;
}

/** Reads what a command writes, as fast as whoever gets it takes it. */
function readOutput(socket: Duplex, kept: Readonly<Record<OutputStream, Tail>>, options: ExecOptions): void {
  const frames = new FrameReader();
  socket.on('data', (chunk: Buffer) => {
    for (const { stream, data } of frames.read(chunk)) {
      kept[stream].push(data);
      options.onOutput?.(stream, data);
      if (stream === 'stdout' && options.stdout?.write(data) === false) {
        socket.pause();
        options.stdout.once('drain', () => socket.resume());
      }
    }
  });
}

/** Returns whether a pipe broke as the command ended without reading its stdin; its exit code tells what happened. */
function isUnread(socket: Duplex, { code }: NodeJS.ErrnoException, { stdin }: ExecOptions): boolean {
  return stdin !== undefined && !socket.writableFinished && (code === 'EPIPE' || code === 'ECONNRESET');
}

function textOf({ stdout, stderr }: Readonly<Record<OutputStream, Tail>>): Omit<ExecResult, 'code' | 'wrote'> {
  return { stdout: stdout.text(), stderr: stderr.text(), truncated: stdout.truncated || stderr.truncated };
}

function hasWritten(socket: Duplex, { stdin }: ExecOptions): boolean {
  const isRead = !(stdin instanceof Readable) || stdin.readableEnded;
  return isRead && socket.writableFinished && socket.readableEnded;
}

async function exitCode({ transport, prefix, what, options, end }: Command, id: string): Promise<number> {
  const { signal } = options;
  // The output closes a moment before the engine notes the exit code, or long before if the command closed it itself.
  for (let pause = 5; ; pause = Math.min(pause * 2, 250)) {
    // One whose time is over is asked once more: it may have ended in time.
    const deadline = Math.max(1000, Math.min(defaultDeadline, end - performance.now()));
    const path = `${prefix}/exec/${id}/json`;
    const { body } = await transport.request({ what, method: 'GET', path, deadline, signal });
    const state = parsedJson<{ Running: boolean; ExitCode?: number | null }>(
      transport.host,
      what,
      body,
      answers.command,
    );
    if (!state.Running && typeof state.ExitCode === 'number') return state.ExitCode;
    if (performance.now() > end)
      throw new EngineError(transport.host, what, 'its output closed and it did not end in time');
    await sleep(pause, undefined, { signal });
  }
}
