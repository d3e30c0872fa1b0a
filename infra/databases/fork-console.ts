import type { Duplex } from 'node:stream';
import type { Engine } from '../docker/api/client.ts';
import { FrameReader, LineReader } from '../docker/api/frames.ts';

/** Milliseconds until a fork has to be ready. */
const readyTimeout = 120_000;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * The connection to a fork's first program. A password gets there by it, and nowhere else: neither into variables, arguments and
 * files of the container nor into the engine. It ends with this process, however that ends.
 */
export class ForkConsole {
  readonly #socket: Duplex;
  readonly #ready: RegExp;
  #waiting: Waiting | undefined;
  #hasEnded = false;

  private constructor(socket: Duplex, ready: RegExp) {
    this.#socket = socket;
    this.#ready = ready;
    const frames = new FrameReader();
    const lines = { stdout: new LineReader(), stderr: new LineReader() };
    socket.on('data', (chunk: Buffer) => {
      for (const { stream, data } of frames.read(chunk))
        for (const line of lines[stream].read(data)) if (this.#ready.test(line)) this.#waiting?.resolve();
    });
    // What broke says less than that it has ended: the container's last lines say why.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#hasEnded = true;
      this.#waiting?.reject(new Error('it has ended'));
    });
    socket.resume();
  }

  /** Connects to a container that was not started yet. `ready`: a line of its output from which on it can be used. */
  static async open(engine: Engine, container: string, ready: RegExp, signal: AbortSignal): Promise<ForkConsole> {
    return new ForkConsole(await engine.attachContainer(container, { signal }), ready);
  }

  /** Sends lines, and resolves when it can be used. Throws Error where it ends, or takes too long, and the signal's reason. */
  async serve(lines: string, signal: AbortSignal, timeout = readyTimeout): Promise<void> {
    signal.throwIfAborted();
    if (this.#hasEnded) throw new Error('it has ended');
    let stop = () => undefined as void;
    try {
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`it was not ready within ${timeout / 1000} s`)), timeout);
        const giveUp = () => reject(signal.reason as Error);
        signal.addEventListener('abort', giveUp, { once: true });
        stop = () => {
          clearTimeout(late);
          signal.removeEventListener('abort', giveUp);
        };
        this.#waiting = { resolve, reject };
        this.#socket.write(`${lines}\n`);
      });
    } finally {
      this.#waiting = undefined;
      stop();
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.destroy();
  }
}
