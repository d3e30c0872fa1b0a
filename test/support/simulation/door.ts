import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { rmSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { answer } from './api.ts';
import { Refusal, type SimulatedEngine } from './engine.ts';
import { startExec, type Execs } from './execs.ts';
import type { Call, Reply } from './reply.ts';

/**
 * What becomes of a call: it is carried out; that, and its caller sleeps before the answer, the connection breaks, or nobody
 * hears one; or it is not carried out, as the connection breaks before, or nobody ever says anything.
 */
export type Fate = 'done' | 'asleep' | 'lost' | 'unheard' | 'broken' | 'silent';

/** The socket of an engine's API, as one operator reaches it. */
export class Door {
  readonly socket: string;
  /** Decides what becomes of a call. */
  fate: (call: Pick<Call, 'method' | 'path'>) => Fate = () => 'done';
  /** Lets the caller sleep. */
  fallAsleep: () => Promise<void> = async () => undefined;
  /** Resolves when the caller is awake. */
  awake: () => Promise<void> = async () => undefined;
  readonly #engine: SimulatedEngine;
  readonly #server: Server;
  readonly #execs: Execs = new Map();

  private constructor(engine: SimulatedEngine, socket: string) {
    this.#engine = engine;
    this.socket = socket;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request: IncomingMessage, socket_: Duplex, head: Buffer) => {
      this.#upgrade(request, socket_, head);
    });
  }

  /** Opens one. */
  static async open(engine: SimulatedEngine, socket: string): Promise<Door> {
    rmSync(socket, { force: true });
    const door = new Door(engine, socket);
    await new Promise<void>((resolve) => door.#server.listen(socket, resolve));
    return door;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await callOf(request);
    const fate = this.fate(call);
    if (fate === 'silent') return;
    if (fate === 'broken') return void request.socket.destroy();
    const reply = await answer(this.#engine, call, this.#execs).catch(replyTo);
    if (fate === 'unheard') return;
    if (fate === 'asleep') await this.fallAsleep();
    await this.awake();
    if (fate === 'lost') return void request.socket.destroy();
    const { status = 200, headers = {}, body = '', follow } = reply;
    response.writeHead(status, { Date: new Date(this.#engine.now()).toUTCString(), ...headers });
    if (!follow) return void response.end(body);
    response.write(body);
    response.on('close', follow(response));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = pathOf(request).pathname;
    const fate = this.fate({ method: 'POST', path });
    if (fate === 'silent') return;
    const id = path.split('/')[2] ?? '';
    if (fate === 'broken' || !this.#execs.has(id)) return void socket.destroy();
    startExec(this.#engine, this.#execs, id, {
      socket,
      isLost: fate === 'lost' || fate === 'unheard',
      isUnheard: fate === 'unheard',
      ended: fate === 'asleep' ? this.fallAsleep : async () => undefined,
      awake: this.awake,
      early: head,
      skipped: Number(request.headers['content-length'] ?? 0),
    });
  }
}

async function callOf(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { pathname: path, searchParams: query } = pathOf(request);
  return { method: request.method ?? '', path, query, body: Buffer.concat(chunks) };
}

function pathOf({ url = '' }: IncomingMessage): URL {
  return new URL(url.replace(/^\/v\d+\.\d+\//, '/'), 'http://engine');
}

function replyTo(error: unknown): Reply {
  const status = error instanceof Refusal ? error.status : 500;
  const message = error instanceof Error ? error.message : String(error);
  return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message }) };
}
