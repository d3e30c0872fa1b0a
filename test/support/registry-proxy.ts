import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/**
 * Stands before a registry and passes everything on, until a tag was pushed: from then on it answers for it with what
 * another tag points to.
 */
export class RegistryProxy {
  readonly #server: Server;
  readonly #registry: string;
  readonly #swap: { readonly pushed: string; readonly answered: string };
  #swapped = false;

  private constructor(registry: string, swap: { readonly pushed: string; readonly answered: string }) {
    this.#registry = registry;
    this.#swap = swap;
    this.#server = createServer((asked, answer) => this.#pass(asked, answer));
  }

  /** Listens on `address` for a registry elsewhere; the swap names manifests, as `trial/manifests/1.0.0`. */
  static async start(
    address: string,
    registry: string,
    swap: { readonly pushed: string; readonly answered: string },
  ): Promise<RegistryProxy> {
    const proxy = new RegistryProxy(registry, swap);
    const [host, port] = address.split(':');
    proxy.#server.listen(Number(port), host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = asked;
    const [host, port] = this.#registry.split(':');
    const isPushed = url === `/v2/${this.#swap.pushed}`;
    const path = isPushed && this.#swapped && method !== 'PUT' ? `/v2/${this.#swap.answered}` : url;
    const passed = request({ host, port, method, path, headers, agent: false }, (said) => {
      if (isPushed && method === 'PUT') this.#swapped = true;
      answer.writeHead(said.statusCode ?? 502, said.headers);
      said.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  }
}
