import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Release } from '../../../pipelines/model/release.ts';
import { digestOf, type SimulatedImage } from './images.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** A registry that answers by HTTP for what was pushed to it, and whose images simulated engines can pull. */
export class SimulatedRegistry {
  /** reference by digest → image */
  readonly images = new Map<string, SimulatedImage>();
  readonly #contents = new Map<string, string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(({ method = '', url = '' }, response) => this.#answer(method, url, response));
  }

  static async start(): Promise<SimulatedRegistry> {
    const registry = new SimulatedRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** `127.0.0.1:5000` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Pushes an image. Returns its digest. */
  push(name: string, tag: string, program: Pick<SimulatedImage, 'serves' | 'config'>): Release['digest'] {
    const config = JSON.stringify({ os: 'linux', architecture: 'amd64', config: { User: '1000', Labels: { tag } } });
    const descriptor = { digest: digestOf(config), size: config.length };
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: descriptor, layers: [] });
    const digest = digestOf(manifest);
    this.#contents.set(`/v2/${name}/blobs/${descriptor.digest}`, config);
    for (const reference of [tag, digest]) this.#contents.set(`/v2/${name}/manifests/${reference}`, manifest);
    const held = { User: '1000', ...program.config };
    this.images.set(`${this.address}/${name}@${digest}`, {
      id: descriptor.digest,
      names: [],
      ...program,
      config: held,
    });
    return digest;
  }

  #answer(method: string, url: string, response: ServerResponse): void {
    const content = this.#contents.get(url);
    if (url === '/v2/') return void response.end('{}');
    if (content === undefined) return void response.writeHead(404).end('{}');
    if (method === 'DELETE') return void response.writeHead(this.#remove(content)).end();
    response.writeHead(200, { 'Content-Type': manifestType, 'Docker-Content-Digest': digestOf(content) });
    response.end(method === 'HEAD' ? undefined : content);
  }

  #remove(content: string): number {
    for (const [url, each] of this.#contents) if (each === content) this.#contents.delete(url);
    for (const reference of this.images.keys())
      if (reference.endsWith(`@${digestOf(content)}`)) this.images.delete(reference);
    return 202;
  }
}
