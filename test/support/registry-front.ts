import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** What a front changes of a request that it passes on, and of its answer. */
export interface Changes {
  readonly path?: string;
  readonly method?: string;
  /** headers of the answer; undefined takes one away */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** What a front does with a request: it answers itself, or passes it on to the real registry. */
export type Behaviour = (asked: IncomingMessage, answer: ServerResponse, pass: (changes?: Changes) => void) => unknown;

/** A server before a real registry, which behaves as registries of others do. */
export class RegistryFront {
  /** each request: `GET /v2/shop/manifests/1 Bearer` */
  readonly asked: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of `host`; with `tls` by https. */
  static async start(
    registry: string,
    behaviour: (front: RegistryFront) => Behaviour,
    { tls, host = '127.0.0.1' }: { readonly tls?: ServerOptions; readonly host?: string } = {},
  ): Promise<RegistryFront> {
    const answer = (asked: IncomingMessage, said: ServerResponse) => {
      const [scheme = 'none'] = (asked.headers.authorization ?? 'none').split(' ');
      front.asked.push(`${asked.method} ${asked.url} ${scheme}`);
      behave(asked, said, (changes = {}) => passOn(registry, { asked, said, changes, isSecure: tls !== undefined }));
    };
    const server = tls ? createSecureServer(tls, answer) : createServer(answer);
    const front = new RegistryFront(server);
    const behave = behaviour(front);
    server.listen(0, host);
    await once(server, 'listening');
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

interface Passing {
  readonly asked: IncomingMessage;
  readonly said: ServerResponse;
  readonly changes: Changes;
  readonly isSecure: boolean;
}

function passOn(registry: string, { asked, said, changes, isSecure }: Passing): void {
  const { authorization: _, ...headers } = asked.headers;
  const [host, port] = registry.split(':');
  const { path = asked.url, method = asked.method } = changes;
  const forwarded = isSecure ? { 'x-forwarded-proto': 'https' } : {};
  const passed = request(
    { host, port, method, path, headers: { ...headers, ...forwarded }, agent: false },
    (answer) => {
      const all = Object.entries({ ...answer.headers, ...changes.headers });
      said.writeHead(answer.statusCode ?? 502, Object.fromEntries(all.filter(([, value]) => value !== undefined)));
      answer.pipe(said);
    },
  );
  passed.on('error', () => said.destroy());
  asked.pipe(passed);
}

interface ProxyOptions {
  readonly login?: string;
  readonly status?: number;
  readonly tunnelsTo?: string;
}

/** A web proxy, as companies have one. */
export class WebProxy {
  /** what it was asked for: `CONNECT host:port`, `GET http://host/path` */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Starts one that demands a login, or refuses all with a status; `tunnelsTo`: the host of all tunnels, whatever is asked for. */
  static async start({ login, status, tunnelsTo }: ProxyOptions = {}): Promise<WebProxy> {
    const server = createServer();
    const proxy = new WebProxy(server);
    const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
    const refusal = ({ headers }: IncomingMessage) =>
      status ?? (wanted === undefined || headers['proxy-authorization'] === wanted ? undefined : 407);
    server.on('request', (asked: IncomingMessage, said: ServerResponse) => {
      proxy.asked.push(`${asked.method} ${asked.url}`);
      const refused = refusal(asked);
      if (refused !== undefined) return void said.writeHead(refused).end();
      const passed = request(new URL(asked.url ?? ''), { method: asked.method, headers: asked.headers }, (answer) => {
        said.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(said);
      });
      passed.on('error', () => said.destroy());
      asked.pipe(passed);
    });
    server.on('connect', (asked: IncomingMessage, socket: Socket) => {
      proxy.asked.push(`CONNECT ${asked.url}`);
      proxy.#keep(socket);
      const refused = refusal(asked);
      if (refused !== undefined) return void socket.end(`HTTP/1.1 ${refused} No\r\nContent-Length: 0\r\n\r\n`);
      const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(asked.url ?? '') ?? [];
      const to = proxy.#keep(connect(Number(port), tunnelsTo ?? host));
      to.on('connect', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        to.pipe(socket).pipe(to);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket.on('error', () => socket.destroy()));
    return socket;
  }
}
