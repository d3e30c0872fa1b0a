import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { Engine } from '../../infra/docker/api/client.ts';

interface Volume {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly CreatedAt: string;
}

/** What an engine does with volumes, where locks are some: on a host with a clock of its own. */
export class VolumeEngine {
  readonly volumes = new Map<string, Volume>();
  readonly socket: string;
  readonly engine: Engine;
  /** milliseconds since 1970, by the clock of the host */
  clock = Date.parse('2026-01-01T12:00:00Z');
  /** it answers nobody */
  isDown = false;
  /** called before each request is answered */
  before: (method: string, volume: string) => void = () => undefined;
  readonly #id: string;
  readonly #folder: string;
  readonly #server: Server;

  private constructor(id: string) {
    this.#id = id;
    this.#folder = mkdtempSync(join(tmpdir(), 'lockage-volumes-'));
    this.socket = join(this.#folder, 'docker.sock');
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.engine = new Engine({ host: 'prod-1', socketPath: this.socket });
  }

  /** Starts one; its id is the same for everybody. */
  static async start(id = 'A'): Promise<VolumeEngine> {
    const made = new VolumeEngine(id);
    await new Promise<void>((resolve) => made.#server.listen(made.socket, resolve));
    return made;
  }

  close(): void {
    this.engine.close();
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Time goes on by seconds. */
  pass(seconds: number): void {
    this.clock += seconds * 1000;
  }

  get names(): string[] {
    return [...this.volumes.keys()].toSorted();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.isDown) return void request.socket.destroy();
    response.setHeader('Date', new Date(this.clock).toUTCString());
    const { pathname, searchParams } = new URL(`http://host${request.url ?? ''}`);
    const path = pathname.replace(/^\/v1\.\d+/, '');
    const body = request.method === 'POST' ? ((await json(request)) as Pick<Volume, 'Name' | 'Labels'>) : undefined;
    this.before(request.method ?? '', body?.Name ?? path.replace('/volumes/', ''));
    // There is no container on it.
    if (path.startsWith('/containers')) response.statusCode = 404;
    response.end(JSON.stringify(this.#result(request.method ?? '', path, searchParams, body)));
  }

  #result(method: string, path: string, query: URLSearchParams, body?: Pick<Volume, 'Name' | 'Labels'>): unknown {
    if (path === '/version') return { ApiVersion: '1.47', Version: 'x' };
    if (path === '/info') return { ID: this.#id };
    if (path === '/volumes') return { Volumes: this.#named(query.get('filters') ?? '{}') };
    if (path === '/volumes/create' && body) return this.#create(body);
    if (method === 'DELETE') this.volumes.delete(path.replace('/volumes/', ''));
    return {};
  }

  /** A volume of one name is made once. */
  #create({ Name, Labels }: Pick<Volume, 'Name' | 'Labels'>): Volume {
    const seconds = Math.floor(this.clock / 1000) * 1000;
    const made = this.volumes.get(Name) ?? { Name, Labels, CreatedAt: new Date(seconds).toISOString() };
    this.volumes.set(Name, made);
    return made;
  }

  #named(filters: string): Volume[] {
    const [beginning = ''] = (JSON.parse(filters) as { name: string[] }).name;
    return [...this.volumes.values()].filter(({ Name }) => Name.includes(beginning));
  }
}
