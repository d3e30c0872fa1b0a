import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import type { SimulatedContainer } from './container.ts';
import type { SimulatedEngine } from './engine.ts';
import type { Asked } from './running.ts';

/** A command in a container: as it was asked for, and its end. */
export interface Exec {
  readonly container: SimulatedContainer;
  readonly asked: Asked;
  readonly hasInput: boolean;
  code: number | null;
}

export type Execs = Map<string, Exec>;

interface Conversation {
  readonly socket: Duplex;
  /** the caller hears nothing of it */
  readonly isLost: boolean;
  /** and its connection stays */
  readonly isUnheard: boolean;
  /** called when it has ended */
  ended(): Promise<void>;
  /** resolves when the caller is awake */
  awake(): Promise<void>;
  /** what came with the request */
  readonly early: Buffer;
  /** bytes of the request's own body, which come first */
  readonly skipped: number;
}

/** Runs a command whose caller speaks to it by the raw connection of its request. */
export function startExec(engine: SimulatedEngine, execs: Execs, id: string, talk: Conversation): void {
  const { socket, isLost, isUnheard } = talk;
  const exec = execs.get(id);
  const child = exec && engine.runner.exec(exec.container, exec.asked);
  socket.on('error', () => undefined);
  if (isLost && !isUnheard) socket.destroy();
  if (!isLost) socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  if (!exec) return;
  if (!child) {
    exec.code = 127;
    return void socket.end(framed(1, Buffer.from('exec failed: no such file or directory\r\n')));
  }
  takeInput(child, exec, talk);
  const give = (stream: 1 | 2) => async (data: Buffer) => {
    await talk.awake();
    if (!isLost && !socket.destroyed) socket.write(framed(stream, data));
  };
  child.stdout?.on('data', (data: Buffer) => void give(1)(data));
  child.stderr?.on('data', (data: Buffer) => void give(2)(data));
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code) => {
      exec.code = code ?? 137;
      resolve();
    });
  });
  // The connection stays for the rest of the input, which nobody reads any more.
  const isRead = exec.hasInput ? new Promise<void>((resolve) => socket.once('end', resolve)) : undefined;
  void Promise.all([ended.then(() => talk.ended()), isRead])
    .then(() => talk.awake())
    .then(() => isLost || socket.end());
}

function takeInput(child: ChildProcess, { hasInput }: Exec, { socket, early, skipped }: Conversation): void {
  let left = skipped;
  const take = (data: Buffer) => {
    const rest = data.subarray(left);
    left = Math.max(0, left - data.length);
    if (rest.length > 0 && hasInput && child.stdin?.write(rest) === false) {
      socket.pause();
      child.stdin.once('drain', () => socket.resume());
    }
  };
  child.stdin?.on('error', () => socket.resume());
  if (!hasInput) child.stdin?.end();
  take(early);
  socket.on('data', take);
  socket.on('end', () => child.stdin?.end());
  socket.on('close', () => child.stdin?.end());
  socket.resume();
}

/** Returns data as a part of a stream with several outputs. */
export function framed(stream: 1 | 2, data: Buffer): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}
