import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { urlOf, variablesOf, type DatabaseKind } from '../../pipelines/databases/kinds.ts';
import { messageOf } from '../../pipelines/errors.ts';
import type { CopyPool } from './copy-pool.ts';
import type { Fork } from './copies.ts';

/**
 * Gives copies to the tests of this computer, at a port of its loopback and under a path that only those know who were told.
 * `POST /TOKEN/databases` answers with a copy in JSON. It belongs to the asker while that answer is being read: it is not ended, and
 * a test that was killed closes it as well as one that is done. With `?keep` the answer ends, and the copy stays until
 * `DELETE /TOKEN/databases/ID`, or the end of the command.
 */
export class CopyServer {
  readonly #server: Server;
  readonly #pool: CopyPool;
  readonly #kind: DatabaseKind;
  readonly #token = randomBytes(18).toString('base64url');
  readonly #kept = new Map<string, Fork>();

  private constructor(pool: CopyPool, kind: DatabaseKind) {
    this.#pool = pool;
    this.#kind = kind;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    // A copy is held for as long as a test takes.
    this.#server.requestTimeout = 0;
    this.#server.timeout = 0;
  }

  static async start(pool: CopyPool, kind: DatabaseKind): Promise<CopyServer> {
    const server = new CopyServer(pool, kind);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** Where copies are asked for. Who knows it may have them: it is as secret as a password. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${this.#token}/databases`;
  }

  /** Ends all answers. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const [path = '', query] = (request.url ?? '').split('?');
    const [, token, what, id] = path.split('/');
    if (token !== this.#token || what !== 'databases') return end(response, 404, { error: 'not found' });
    if (request.method === 'DELETE' && id !== undefined) return this.#give(id, response);
    if (request.method !== 'POST' || id !== undefined) return end(response, 405, { error: 'POST asks for a database' });
    await this.#take(response, query === 'keep');
  }

  async #take(response: ServerResponse, isKept: boolean): Promise<void> {
    let copy: Fork;
    try {
      copy = await this.#pool.take();
    } catch (error) {
      return end(response, 503, { error: messageOf(error) });
    }
    // Whoever asked may have been killed meanwhile.
    if (response.closed || response.destroyed) return this.#pool.give(copy);
    const id = randomBytes(9).toString('base64url');
    if (isKept) this.#kept.set(id, copy);
    else response.on('close', () => this.#pool.give(copy));
    const { host, port, user, password, database } = copy;
    const content = { id, url: urlOf(this.#kind, copy), host, port, user, password, database };
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    const line = `${JSON.stringify({ ...content, variables: variablesOf(this.#kind, copy) })}\n`;
    if (isKept) response.end(line);
    else response.write(line);
  }

  #give(id: string, response: ServerResponse): void {
    const copy = this.#kept.get(id);
    if (!copy) return end(response, 404, { error: 'no such database' });
    this.#kept.delete(id);
    this.#pool.give(copy);
    end(response, 200, { id });
  }
}

function end(response: ServerResponse, status: number, content: object): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(content)}\n`);
}
