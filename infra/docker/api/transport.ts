import { Agent, request, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { Readable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Deadline, defaultDeadline } from '../../system/deadline.ts';
import type { EngineAddress } from '../address.ts';
import { tlsOptions } from '../tls/options.ts';
import { connectionError } from './connection-error.ts';
import { EngineError } from './errors.ts';
import { encodeBody, engineMessage, queryString, type Call, type Answer } from './wire.ts';

export type TransportOptions = EngineAddress & {
  /** name of the host, for messages */
  readonly host: string;
  /** called once when nobody listens there; returns the address to try next */
  readonly reconnect?: (() => Promise<EngineAddress>) | undefined;
};

const maxAnswer = 64 * 1024 * 1024;
const socketsPerEngine = 8;

/**
 * An HTTP connection over a unix socket, TCP or TLS: it sends a call and reads its answer whole, as a stream, or as
 * the raw connection. A request that was certainly never sent, or that only reads, is repeated once on a new
 * connection; others never are, because the engine may have done them. Only short reading calls share kept
 * connections: on a new one, a dead peer shows before anything is sent, and a long answer blocks no other call.
 */
export class Transport {
  readonly host: string;
  readonly #agent: Agent;
  readonly #reconnect: (() => Promise<EngineAddress>) | undefined;
  #address: EngineAddress;

  constructor(options: TransportOptions) {
    this.host = options.host;
    this.#address = 'tcp' in options ? { tcp: options.tcp } : { socketPath: options.socketPath };
    this.#reconnect = options.reconnect;
    const kept = { keepAlive: true, maxSockets: socketsPerEngine };
    this.#agent = isTls(options) ? new TlsAgent(kept) : new Agent(kept);
  }

  get address(): EngineAddress {
    return this.#address;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Returns the whole answer. Throws EngineError for an error status, a broken connection or a passed deadline. */
  async request(call: Call): Promise<Answer> {
    const limit = new Deadline(call);
    try {
      const { response } = await this.#send(call, limit.signal, 'answer');
      const body = await collect(response, limit.signal);
      const status = response.statusCode ?? 0;
      if (status >= 300 && !call.accept?.includes(status)) throw this.#refusal(call, status, body);
      return { status, body, ...toldByHeaders(response.headers) };
    } catch (error) {
      throw this.#explain(error, call, limit);
    } finally {
      limit.release();
    }
  }

  /** Returns the answer's body as a stream, which the call's signal still ends; the caller must read it. */
  async stream(call: Call): Promise<IncomingMessage> {
    const limit = new Deadline(call);
    try {
      const { response } = await this.#send(call, limit.signal, 'stream');
      const status = response.statusCode ?? 0;
      if (status >= 300) throw this.#refusal(call, status, await collect(response, limit.signal));
      limit.stopClock();
      response.once('close', () => limit.release());
      limit.signal.addEventListener('abort', () => response.destroy(limit.signal.reason), { once: true });
      return response;
    } catch (error) {
      limit.release();
      throw this.#explain(error, call, limit);
    }
  }

  /**
   * Yields the answer's body as it comes. Throws EngineError when its next part does not come within `silence` milliseconds;
   * whoever reads may take longer.
   */
  async *chunks(call: Call, silence?: number): AsyncGenerator<Buffer> {
    const response = await this.stream(call);
    let silent = false;
    const giveUp = () => {
      silent = true;
      response.destroy();
    };
    const wait = () => (silence === undefined ? undefined : setTimeout(giveUp, silence));
    let watch = wait();
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        clearTimeout(watch);
        yield chunk;
        watch = wait();
      }
    } catch (error) {
      if (!silent) throw error;
    } finally {
      clearTimeout(watch);
      response.destroy();
    }
    if (silent) throw new EngineError(this.host, call.what, `nothing more came for ${(silence ?? 0) / 1000} s`);
  }

  /** Returns the raw connection behind an upgraded request. Data that came with the headers is put back into it. */
  async hijack(call: Call): Promise<Duplex> {
    const limit = new Deadline(call);
    try {
      const { response, socket } = await this.#send(call, limit.signal, 'upgrade');
      if (!socket) throw this.#refusal(call, response.statusCode ?? 0, await collect(response, limit.signal));
      return socket;
    } catch (error) {
      throw this.#explain(error, call, limit);
    } finally {
      limit.release();
    }
  }

  async #send(call: Call, signal: AbortSignal, mode: Mode): Promise<Opened> {
    try {
      return await this.#attempt(call, signal, mode);
    } catch (error) {
      const repeatable = error instanceof ConnectionLost && (!error.sent || reads(call));
      if (!repeatable || signal.aborted || (!error.sent && !this.#reconnect)) throw error;
      if (this.#reconnect) this.#address = await this.#reconnect();
      return this.#attempt(call, signal, mode);
    }
  }

  #attempt(call: Call, signal: AbortSignal, mode: Mode): Promise<Opened> {
    signal.throwIfAborted();
    const { payload, headers } = encodeBody(call, mode === 'upgrade');
    return new Promise((resolve, reject) => {
      let sent = false;
      const secure = isTls(this.#address);
      const outgoing = (secure ? tlsRequest : request)({
        ...dialOptions(this.#address),
        path: call.path + queryString(call.query),
        method: call.method,
        headers,
        agent: mode === 'answer' && reads(call) ? this.#agent : false,
        signal,
      });
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) sent = true;
        else socket.once(secure ? 'secureConnect' : 'connect', () => (sent = true));
      });
      outgoing.on('error', (error) => reject(new ConnectionLost(error, sent)));
      outgoing.on('response', (response) => resolve({ response }));
      outgoing.on('upgrade', (response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve({ response, socket });
      });
      if (call.upload === undefined) outgoing.end(payload);
      // What cannot be read any more must not look like an archive that ends.
      else pipeline(Readable.from(call.upload()), outgoing).catch((error: Error) => outgoing.destroy(error));
    });
  }

  #refusal(call: Call, status: number, body: Buffer): EngineError {
    return new EngineError(this.host, call.what, `${engineMessage(body)} (${status})`, { status });
  }

  #explain(error: unknown, call: Call, limit: Deadline): unknown {
    if (limit.passed) {
      const seconds = (call.deadline ?? defaultDeadline) / 1000;
      return new EngineError(this.host, call.what, `no answer within ${seconds} s`, { cause: error });
    }
    if (call.signal?.aborted) return call.signal.reason;
    if (error instanceof ConnectionLost) return connectionError(this.host, this.#address, call.what, error.cause);
    return error;
  }
}

type Mode = 'answer' | 'stream' | 'upgrade';

interface Opened {
  readonly response: IncomingMessage;
  readonly socket?: Duplex;
}

/**
 * An error for a connection that broke before the answer's headers; `sent` says whether the engine may have seen the
 * request.
 */
class ConnectionLost extends Error {
  readonly sent: boolean;

  constructor(cause: Error, sent: boolean) {
    super(cause.message, { cause });
    this.sent = sent;
  }
}

function reads(call: Call): boolean {
  return call.method === 'GET' || call.method === 'HEAD';
}

function toldByHeaders(headers: IncomingHttpHeaders): Pick<Answer, 'time' | 'pathStat'> {
  const stat = headers['x-docker-container-path-stat'];
  return { time: Date.parse(headers.date ?? ''), ...(typeof stat === 'string' ? { pathStat: stat } : {}) };
}

function isTls(address: EngineAddress): boolean {
  return 'tcp' in address && address.tcp.tls !== undefined;
}

/** Returns the connection options of node's http and https for an address. */
function dialOptions(address: EngineAddress): RequestOptions {
  if ('socketPath' in address) return { socketPath: address.socketPath };
  const { host, port, tls } = address.tcp;
  return { host, port, ...(tls ? tlsOptions(host, tls.context) : {}) };
}

async function collect(response: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const giveUp = () => response.destroy(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxAnswer) throw new ConnectionLost(new Error(`its answer exceeds ${maxAnswer} bytes`), true);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw error instanceof ConnectionLost ? error : new ConnectionLost(error as Error, true);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
