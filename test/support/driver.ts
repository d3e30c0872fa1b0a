/** A client that costs little itself: plain sockets, one request after the other on each. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Drive {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** requests a second over all connections; absent: each asks again as soon as it is answered */
  readonly rate?: number;
  /** a connection of its own for each request */
  readonly fresh?: boolean;
  /** bytes that each request sends; absent: a GET */
  readonly body?: number;
  /** who is refused comes again after the time that he was told, and not at once */
  readonly patient?: boolean;
}

export interface Driven {
  readonly answered: number;
  /** answers of 503 */
  readonly refused: number;
  readonly failed: number;
  /** milliseconds */
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/** Sends requests for that time, and returns what came of those that were answered in it. */
export async function drive(options: Drive): Promise<Driven> {
  const driver = new Driver(options);
  const took = await driver.run();
  const { answered, refused, failed, latencies } = driver;
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { answered, refused, failed, p50: at(0.5), p99: at(0.99), perSecond: answered / (took / 1000) };
}

class Driver {
  answered = 0;
  refused = 0;
  failed = 0;
  readonly latencies: number[] = [];
  readonly #options: Drive;
  readonly #text: string;
  readonly #free: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  /** when who was refused comes again, also where the connection is closed meanwhile */
  readonly #comesAgain = new WeakMap<Socket, number>();
  #ended = false;

  constructor(options: Drive) {
    this.#options = options;
    const { body = 0, fresh = false } = options;
    const head = `${body > 0 ? 'POST' : 'GET'} / HTTP/1.1\r\nHost: bench\r\n`;
    const length = body > 0 ? `Content-Length: ${body}\r\n` : '';
    this.#text = `${head}${fresh ? 'Connection: close\r\n' : ''}${length}\r\n${'x'.repeat(body)}`;
  }

  /** Returns the milliseconds that it took. */
  async run(): Promise<number> {
    const { connections, seconds, rate } = this.#options;
    const started = performance.now();
    for (let count = 0; count < connections; count += 1) this.#open();
    for (let sent = 0; performance.now() - started < seconds * 1000; await sleep(rate === undefined ? 50 : 5)) {
      // What finds no free connection is not sent later: this is load, and no queue.
      for (const due = ((performance.now() - started) / 1000) * (rate ?? 0); sent < due; sent += 1) {
        const socket = this.#free.shift();
        if (socket) this.#ask(socket);
      }
    }
    this.#ended = true;
    const took = performance.now() - started;
    for (const socket of this.#sockets) socket.destroy();
    return took;
  }

  #open(): void {
    if (this.#ended) return;
    const socket = connect(this.#options.port, '127.0.0.1').setNoDelay().setEncoding('latin1');
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    const refused = () => this.#fail();
    socket.once('close', refused).once('connect', () => {
      socket.off('close', refused);
      this.#next(socket);
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      const wait = (this.#comesAgain.get(socket) ?? 0) - performance.now();
      if (!this.#ended) setTimeout(() => this.#open(), Math.max(0, wait)).unref();
    });
  }

  #next(socket: Socket): void {
    if (this.#options.rate === undefined) this.#ask(socket);
    else this.#free.push(socket);
  }

  #ask(socket: Socket): void {
    if (socket.destroyed) return;
    const started = performance.now();
    let text = '';
    const hear = (data: string) => {
      text += data;
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) return;
      socket.off('data', hear).off('close', lost);
      this.#count(text.slice(9, 12), performance.now() - started);
      const { fresh = false, patient = false } = this.#options;
      const wait = patient ? Number(/retry-after: (\d+)/i.exec(text)?.[1] ?? 0) : 0;
      if (wait > 0) this.#comesAgain.set(socket, performance.now() + wait * 1000);
      if (fresh) socket.destroy();
      else if (wait > 0) setTimeout(() => this.#next(socket), wait * 1000).unref();
      else this.#next(socket);
    };
    const lost = () => this.#fail();
    socket.on('data', hear).once('close', lost);
    socket.write(this.#text, 'latin1');
  }

  #fail(): void {
    this.failed += this.#ended ? 0 : 1;
  }

  #count(status: string, took: number): void {
    if (this.#ended) return;
    if (status === '503') this.refused += 1;
    else if (status !== '200') this.failed += 1;
    else {
      this.answered += 1;
      this.latencies.push(took);
    }
  }
}
