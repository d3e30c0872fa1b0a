import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

interface Exec {
  readonly argv: readonly string[];
  readonly isInteractive: boolean;
  code: number | null;
}

/**
 * Runs commands in containers as a Docker Engine does, behind its API on a port; there is no container, they run on this
 * computer. The connection can break after so many bytes of either direction: then the command reads the end of its input, and
 * what it still writes is lost.
 */
export class ExecEngine {
  /** bytes of stdin, or of output with its frames, after which the connection breaks */
  cuts: { readonly stdin?: number; readonly output?: number } = {};
  /** put before all others in PATH */
  programs = '';
  /** what it says of its one container; undefined: there is none */
  details: object | undefined;
  /** what happens to a request to stop, start or restart it; absent: it is carried out */
  onRestart: ((url: string) => 'refused' | 'lost' | undefined) | undefined;
  readonly #execs: Exec[] = [];
  #server: Server | undefined;

  /** Returns its port. */
  async listen(): Promise<number> {
    this.#server = createServer(async (request, response) => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      const fate = /\/(stop|start|restart)(\?|$)/.test(request.url ?? '')
        ? this.onRestart?.(request.url ?? '')
        : undefined;
      if (fate === 'lost') return void request.socket.destroy();
      if (fate === 'refused') {
        response.statusCode = 500;
        return void response.end(JSON.stringify({ message: 'the daemon is shutting down' }));
      }
      const answer = this.#answer(request.url ?? '', text);
      response.statusCode = answer === undefined ? 404 : 200;
      response.end(JSON.stringify(answer ?? { message: 'No such container' }));
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const index = Number(/\/exec\/(\d+)\//.exec(request.url ?? '')?.[1]);
      const found = this.#execs[index];
      if (found) this.#start(found, socket, head.subarray(Number(request.headers['content-length'] ?? 0)));
    });
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  #answer(url: string, text: string): unknown {
    if (url.endsWith('/version')) return { ApiVersion: '1.43', MinAPIVersion: '1.24', Version: '24.0.7' };
    if (/\/containers\/[^/]+\/json$/.test(url)) return this.details;
    if (url.endsWith('/info')) return { SystemTime: new Date().toISOString() };
    const asked = /\/exec\/(\d+)\/json$/.exec(url)?.[1];
    if (asked !== undefined) {
      const { code } = this.#execs[Number(asked)] ?? { code: null };
      return { Running: code === null, ExitCode: code };
    }
    if (url.includes('/containers/create')) return undefined;
    if (url.includes('/containers/json')) return [];
    if (text === '') return {};
    const { Cmd: argv, AttachStdin: isInteractive } = JSON.parse(text) as { Cmd: string[]; AttachStdin: boolean };
    return { Id: String(this.#execs.push({ argv, isInteractive, code: null }) - 1) };
  }

  #start(exec: Exec, socket: Duplex, head: Buffer): void {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    const { isInteractive } = exec;
    const [program = '', ...args] = exec.argv;
    const env = { ...process.env, PATH: `${this.programs}:${process.env['PATH']}` };
    const child = spawn(program, args, { env });
    child.stdin.on('error', () => undefined);
    socket.on('error', () => child.stdin.end());
    const ended = new Promise<void>((resolve) => child.on('close', (code) => resolve(void (exec.code = code ?? 137))));
    // As an engine does: the connection stays for the rest of the input, which nobody reads any more.
    const read = isInteractive ? new Promise<void>((resolve) => socket.once('end', resolve)) : Promise.resolve();
    void Promise.all([ended, read]).then(() => socket.end());
    this.#takeInput(child, socket, head);
    this.#giveOutput(child, socket);
  }

  #takeInput(child: ChildProcess, socket: Duplex, head: Buffer): void {
    let left = this.cuts.stdin ?? Infinity;
    const take = (data: Buffer) => {
      const flows = child.stdin?.write(data.subarray(0, left));
      left -= data.length;
      if (flows === false) {
        socket.pause();
        child.stdin?.once('drain', () => socket.resume());
      }
      if (left > 0) return;
      child.stdin?.end();
      this.#break(socket);
    };
    if (head.length > 0) take(head);
    socket.on('data', take);
    socket.on('end', () => child.stdin?.end());
    socket.on('close', () => child.stdin?.end());
  }

  #giveOutput(child: ChildProcess, socket: Duplex): void {
    let left = this.cuts.output ?? Infinity;
    const give = (stream: number) => (data: Buffer) => {
      const frame = Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]), data]);
      frame.writeUInt32BE(data.length, 4);
      if (left > 0 && !socket.destroyed) socket.write(frame.subarray(0, left));
      left -= frame.length;
      if (left <= 0) this.#break(socket);
    };
    child.stdout?.on('data', give(1));
    child.stderr?.on('data', give(2));
  }

  #break(socket: Duplex): void {
    if (socket.destroyed || socket.writableEnded) return;
    socket.end(() => socket.destroy());
  }
}
