import { Readable, type Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultDeadline, reasonOf } from '../../system/deadline.ts';
import { Tail } from '../../system/tail.ts';
import { EngineError } from './errors.ts';
import { FrameReader } from './frames.ts';
import type { Transport } from './transport.ts';
import { parsedJson } from './wire.ts';
import type { ExecOptions, ExecResult } from './types.ts';

/** Implements `Engine.exec`. */
export async function exec(
  transport: Transport,
  prefix: string,
  container: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const what = `run ${argv[0] ?? 'a command'} in ${container}`;
  const deadline = options.deadline ?? defaultDeadline;
  const end = performance.now() + deadline;
  const left = () => Math.max(1, end - performance.now());
  // However long the command may take: its start is a call like any other.
  const call = () => Math.min(left(), defaultDeadline);
  const id = await createExec(transport, prefix, container, argv, { ...options, deadline: call() });
  const socket = await transport.hijack({
    what,
    method: 'POST',
    path: `${prefix}/exec/${id}/start`,
    body: { Detach: false, Tty: false },
    deadline: call(),
    signal: options.signal,
  });
  const conversation = exchangeStreams(transport.host, what, socket, left(), deadline, options);
  if (options.stdin !== undefined) {
    const ended = () => exitCode(transport, prefix, id, what, end, options.signal);
    hangUpOnUnreadStdin(socket, ended).catch((error: Error) => socket.destroy(error));
  }
  const output = await conversation;
  return { code: await exitCode(transport, prefix, id, what, end, options.signal), ...output };
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

async function createExec(
  transport: Transport,
  prefix: string,
  container: string,
  argv: readonly string[],
  options: ExecOptions,
): Promise<string> {
  const what = `run ${argv[0] ?? 'a command'} in ${container}`;
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
    deadline: options.deadline ?? defaultDeadline,
    signal: options.signal,
  });
  return parsedJson<{ Id: string }>(transport.host, what, body).Id;
}

/** Writes stdin, closes that half, and reads until the other side closes. */
function exchangeStreams(
  host: string,
  what: string,
  socket: Duplex,
  left: number,
  deadline: number,
  options: ExecOptions,
): Promise<Omit<ExecResult, 'code'>> {
  const frames = new FrameReader();
  const limit = options.maxOutput ?? 1024 * 1024;
  const kept = { stdout: new Tail(limit), stderr: new Tail(limit) };
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new EngineError(host, what, `not ended within ${deadline / 1000} s`)), left);
    const giveUp = () => fail(reasonOf(options.signal));
    const settle = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', giveUp);
    };
    options.signal?.addEventListener('abort', giveUp, { once: true });
    if (options.signal?.aborted) return giveUp();

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
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // A command that ends without reading its stdin breaks the pipe; its exit code tells what happened.
      const writes = options.stdin !== undefined && !socket.writableFinished;
      const unread = writes && (error.code === 'EPIPE' || error.code === 'ECONNRESET');
      if (!unread) fail(new EngineError(host, what, `the connection broke: ${error.message}`, { cause: error }));
    });
    socket.on('close', () => {
      settle();
      const truncated = kept.stdout.truncated || kept.stderr.truncated;
      const isRead = !(options.stdin instanceof Readable) || options.stdin.readableEnded;
      const wrote = isRead && socket.writableFinished && socket.readableEnded;
      resolve({ stdout: kept.stdout.text(), stderr: kept.stderr.text(), truncated, wrote });
    });
    options.stdout?.once('error', fail);
    if (options.stdin instanceof Readable) {
      options.stdin.once('error', fail);
      options.stdin.pipe(socket);
    } else if (options.stdin !== undefined) socket.end(options.stdin);
    socket.resume();
  });
}

async function exitCode(
  transport: Transport,
  prefix: string,
  id: string,
  what: string,
  end: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  // The output closes a moment before the engine notes the exit code, or long before if the command closed it itself.
  for (let pause = 5; ; pause = Math.min(pause * 2, 250)) {
    // One whose time is over is asked once more: it may have ended in time.
    const deadline = Math.max(1000, Math.min(defaultDeadline, end - performance.now()));
    const path = `${prefix}/exec/${id}/json`;
    const { body } = await transport.request({ what, method: 'GET', path, deadline, signal });
    const state = parsedJson<{ Running: boolean; ExitCode: number | null }>(transport.host, what, body);
    if (!state.Running && state.ExitCode !== null) return state.ExitCode;
    if (performance.now() > end)
      throw new EngineError(transport.host, what, 'its output closed and it did not end in time');
    await sleep(pause, undefined, { signal });
  }
}
