import { createHash } from 'node:crypto';

/** An image, and what its program does. */
export interface SimulatedImage {
  readonly id: string;
  /** `repository@digest` and `repository:tag` */
  readonly names: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  /** its program is an application that answers there; absent: its command is run */
  readonly serves?: { readonly port: number; readonly status: number };
}

/** The images that a simulated engine has, and those that it can pull. */
export class Images {
  readonly #registry: ReadonlyMap<string, SimulatedImage>;
  #held: SimulatedImage[] = [];

  /** `registry`: reference by digest → image */
  constructor(registry: ReadonlyMap<string, SimulatedImage>) {
    this.#registry = registry;
  }

  get all(): readonly SimulatedImage[] {
    return this.#held;
  }

  find(name: string): SimulatedImage | undefined {
    return this.#held.find(({ id, names }) => id === name || names.includes(name) || names.includes(`${name}:latest`));
  }

  /** Takes an image in, as `docker load` does. */
  add(image: SimulatedImage): void {
    const before = this.#held.find(({ id }) => id === image.id);
    const names = [...new Set([...(before?.names ?? []), ...image.names])];
    this.#held = [...this.#held.filter(({ id }) => id !== image.id), { ...image, names }];
  }

  /** Returns the lines of a pull; undefined where the registry does not have it. */
  pull(reference: string): object[] | undefined {
    const found = this.#registry.get(reference);
    if (!found) return undefined;
    const wasThere = this.find(reference) !== undefined;
    this.add({ ...found, names: [reference] });
    const [id, progressDetail] = [found.id.slice(7, 19), { current: 1000, total: 1000 }];
    return wasThere
      ? [{ status: 'Already exists', id }]
      : [
          { status: 'Downloading', id, progressDetail },
          { status: 'Pull complete', id },
        ];
  }

  /** Adds a name, which another image loses. */
  tag(name: string, to: string): boolean {
    const found = this.find(name);
    if (!found) return false;
    this.#held = this.#held.map((image) => ({ ...image, names: image.names.filter((each) => each !== to) }));
    this.add({ ...found, names: [to] });
    return true;
  }

  /** Takes a name off an image, which goes with the last one. */
  remove(name: string): void {
    this.#held = this.#held
      .map((image) => ({ ...image, names: image.id === name ? [] : image.names.filter((each) => each !== name) }))
      .filter(({ names }) => names.length > 0);
  }
}

/** Returns an image as an engine tells of it. */
export function imageDetails({ id, names, config }: SimulatedImage) {
  return {
    Id: id,
    RepoTags: names.filter((name) => !name.includes('@')),
    RepoDigests: names.filter((name) => name.includes('@')),
    Os: 'linux',
    Architecture: 'amd64',
    Size: 1000,
    Config: { Env: [], Cmd: null, Entrypoint: null, Labels: null, Volumes: null, User: '', WorkingDir: '', ...config },
  };
}

/** Returns an id or digest for what is written. */
export function digestOf(text: string): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
