import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

interface Mounted {
  readonly Type: 'volume';
  readonly Name: string;
  readonly Destination: string;
  /** nobody named it, so that it may go with the container */
  readonly isOwn?: true;
}

interface Kept {
  name: string;
  readonly id: string;
  readonly body: any;
  readonly mounts: readonly Mounted[];
  running: boolean;
  status: string;
  restarts?: { readonly count: number; readonly last: string };
}

/**
 * Containers as a Docker Engine keeps them, behind its API on a socket: names, ports and what runs; nothing is really started.
 * A caller can be cut off after any change, as by a power cut of its computer.
 */
export class PretendEngine {
  /** what the changes so far were, in order: `start shop-prod-edge` */
  readonly changes: string[] = [];
  /** the change whose answer is lost; every call after it fails too while `isDead` says so */
  loses = Infinity;
  staysDead = false;
  /** milliseconds by which its host's clock is ahead of this computer's */
  ahead = 0;
  /** a name that a stranger takes in the moment in which it is asked for */
  contested: string | undefined;
  /** image → places for which it declares a volume */
  declared: Readonly<Record<string, readonly string[]>> = {};
  /** volumes that somebody named, with their labels */
  named: Readonly<Record<string, Readonly<Record<string, string>>>> = {};
  /** volumes that it made for such places, and has not removed */
  readonly volumes = new Set<string>();
  readonly #containers = new Map<string, Kept>();
  #server: Server | undefined;
  #isDead = false;
  #hasCut = false;
  #made = 0;

  async listen(path: string): Promise<void> {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve) => this.#server?.listen(path, resolve));
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  /** Whether the change whose answer was to be lost has come. */
  get hasCut(): boolean {
    return this.#hasCut;
  }

  /** The caller's computer is on again. */
  revive(): void {
    this.loses = Infinity;
    this.#isDead = false;
    this.#hasCut = false;
    this.changes.length = 0;
  }

  /** Returns `NAME IMAGE STATE` of all containers, in the order of their names. */
  containers(): string[] {
    return [...this.#containers.values()].map(({ name, body, status }) => `${name} ${body.Image} ${status}`).sort();
  }

  /** Somebody else's doing. */
  setRunning(name: string, running: boolean): void {
    const found = this.#find(name);
    if (found) Object.assign(found, { running, status: running ? 'running' : 'exited' });
  }

  /** It was restarted that often, the last time then. */
  setRestarts(name: string, count: number, last: string): void {
    const found = this.#find(name);
    if (found) found.restarts = { count, last };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#isDead) return void request.socket.destroy();
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url ?? '', 'http://engine');
    const words = url.pathname.split('/').filter((word) => word !== '' && !/^v\d/.test(word));
    const [status, answer] = this.#answer(request.method ?? '', words, url.searchParams, text);
    const isChange = request.method !== 'GET' && status < 400;
    if (isChange && this.changes.length === this.loses) {
      this.#isDead = this.staysDead;
      this.#hasCut = true;
      return void request.socket.destroy();
    }
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  }

  #answer(method: string, words: string[], query: URLSearchParams, text: string): [number, unknown] {
    const [kind, name = '', act = ''] = words;
    if (method === 'GET' && words.length < 3 && (name === '' || name === 'json'))
      return [200, this.#listed(kind ?? '', query.get('filters'))];
    if (kind === 'images') return [200, { Id: name, Config: { Env: [], Volumes: this.#declaredBy(name) } }];
    if (kind === 'volumes' && method === 'DELETE') return this.volumes.delete(name) ? [204, {}] : [404, {}];
    const labelled = this.named[name];
    if (kind === 'volumes') return labelled ? [200, { Name: name, Labels: labelled }] : [404, {}];
    if (kind === 'networks') return [200, []];
    if (kind !== 'containers') return [404, { message: 'not known here' }];
    if (name === 'create') return this.#create(query.get('name') ?? '', JSON.parse(text));
    const found = this.#find(name);
    if (!found) return [404, { message: `No such container: ${name}` }];
    if (method === 'GET') return act === 'json' ? [200, detailsOf(found)] : [404, { message: 'not known here' }];
    if (method === 'DELETE') {
      if (found.running && query.get('force') !== 'true') return [409, { message: `${name} is running` }];
      this.#containers.delete(found.id);
      if (query.get('v') === 'true') this.#removeVolumesOf(found);
      return this.#did(`remove ${found.name}`);
    }
    switch (act) {
      case 'rename':
        return this.#rename(found, query.get('name') ?? '');
      case 'start':
        return this.#start(found);
      case 'update':
        return this.#did(`update ${found.name}`);
      case 'stop':
        this.setRunning(found.name, false);
        return this.#did(`stop ${found.name}`);
      default:
        return [404, { message: 'not known here' }];
    }
  }

  #create(name: string, body: any): [number, unknown] {
    if (name === this.contested) this.#add(name, { Image: 'theirs', Labels: {} });
    if (this.#find(name)) return [409, { message: `The container name "/${name}" is already in use` }];
    const id = this.#add(name, body);
    this.#did(`create ${name}`);
    return [201, { Id: id }];
  }

  #listed(kind: string, filters: string | null): unknown {
    if (kind === 'volumes') return { Volumes: [] };
    if (kind !== 'containers') return this.#answered(kind);
    const { label = [] } = JSON.parse(filters ?? '{}') as { label?: string[] };
    const has = ({ body }: Kept) =>
      label.every((each) =>
        Object.entries(body.Labels ?? {}).some(([key, value]) => `${key}=${String(value)}` === each),
      );
    const Created = Date.now() / 1000;
    return [...this.#containers.values()].filter(has).map(({ id, name, body, mounts, status }) => ({
      ...{ Id: id, Names: [`/${name}`], Image: body.Image, Labels: body.Labels, Mounts: mounts, State: status },
      ...{ Created, Ports: [] },
    }));
  }

  #answered(kind: string): unknown {
    if (kind === 'networks') return [];
    if (kind === 'version') return { ApiVersion: '1.43', MinAPIVersion: '1.24', Version: '24.0.7' };
    return kind === 'info' ? { SystemTime: new Date(Date.now() + this.ahead).toISOString() } : 'OK';
  }

  #declaredBy(image: string): Record<string, object> {
    return Object.fromEntries((this.declared[image] ?? []).map((path) => [path, {}]));
  }

  #add(name: string, body: any): string {
    this.#made += 1;
    const id = String(this.#made);
    const mounts = this.#mountsOf(body, id);
    this.#containers.set(id, { name, id, body, mounts, running: false, status: 'created' });
    return id;
  }

  #mountsOf({ Image, HostConfig }: any, id: string): Mounted[] {
    const named = (HostConfig?.Mounts ?? []).map(({ Source, Target }: any) => ({ Name: Source, Destination: Target }));
    const places = (this.declared[Image] ?? []).filter(
      (path) => !named.some((each: Mounted) => each.Destination === path),
    );
    const own = places.map((Destination, index) => ({
      Name: `${index}${id}`.padStart(64, 'a'),
      Destination,
      isOwn: true,
    }));
    for (const { Name } of own) this.volumes.add(Name);
    return [...named, ...own].map((mount) => ({ Type: 'volume', ...mount }));
  }

  /** As an engine does it: what another container has as well stays, and what was named. */
  #removeVolumesOf({ mounts }: Kept): void {
    const used = new Set([...this.#containers.values()].flatMap((other) => other.mounts.map(({ Name }) => Name)));
    for (const { Name, isOwn } of mounts) if (isOwn && !used.has(Name)) this.volumes.delete(Name);
  }

  #rename(found: Kept, to: string): [number, unknown] {
    if (this.#find(to)) return [409, { message: `The container name "/${to}" is already in use` }];
    const from = found.name;
    found.name = to;
    return this.#did(`rename ${from} ${to}`);
  }

  /** A port can be bound once, and no data is ever opened twice. */
  #start(found: Kept): [number, unknown] {
    if (found.running) return [304, {}];
    const others = [...this.#containers.values()].filter((other) => other.running);
    const taken = (kept: Kept) => Object.keys(kept.body.HostConfig?.PortBindings ?? {});
    const data = (kept: Kept) => kept.mounts.map(({ Name }) => Name);
    if (others.some((other) => taken(other).some((port) => taken(found).includes(port))))
      return [500, { message: 'port is already allocated' }];
    if (others.some((other) => data(other).some((volume) => data(found).includes(volume))))
      throw new Error(`data of ${found.name} is opened twice`);
    Object.assign(found, { running: true, status: 'running' });
    return this.#did(`start ${found.name}`);
  }

  #did(change: string): [number, unknown] {
    this.changes.push(change);
    return [204, {}];
  }

  #find(name: string): Kept | undefined {
    return [...this.#containers.values()].find((kept) => kept.name === name || kept.id === name);
  }
}

function detailsOf({ id, name, body, mounts, running, status, restarts }: Kept) {
  return {
    Id: id,
    Name: `/${name}`,
    Image: body.Image,
    RestartCount: restarts?.count ?? 0,
    State: {
      Running: running,
      Status: status,
      Paused: false,
      Restarting: false,
      ExitCode: 0,
      StartedAt: restarts?.last ?? '',
    },
    Config: { Image: body.Image, Labels: body.Labels, Env: body.Env ?? [], Tty: false },
    HostConfig: body.HostConfig ?? {},
    Mounts: mounts,
  };
}
