import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { SimulatedContainer } from './container.ts';
import { variablesOf } from './details.ts';
import { endSession, serving, type Programs } from './programs.ts';
import type { Traffic } from './traffic.ts';

/** The parts of a host that containers run on. */
export interface Ground {
  readonly folder: string;
  readonly address: string;
  readonly programs: Programs;
  readonly traffic: Traffic;
  now(): number;
}

/** A command as an engine is asked to run it in a container. */
export interface Asked {
  readonly argv: readonly string[];
  readonly env?: readonly string[];
  readonly workingDir?: string | undefined;
}

/** Runs what containers consist of: their own programs, and commands in them. */
export class Runner {
  readonly #ground: Ground;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Returns the folder of a volume. */
  volumeFolder(volume: string): string {
    const folder = join(this.#ground.folder, 'volumes', volume);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Returns where a path of a container lies on this computer. */
  pathIn(container: SimulatedContainer, path: string): string {
    const clean = posix.normalize(path);
    for (const { target, volume } of container.mounts)
      if (clean === target || clean.startsWith(`${target}/`))
        return join(this.volumeFolder(volume), clean.slice(target.length));
    return join(this.#rootOf(container), clean);
  }

  /** Starts its program. Calls `ended` with the exit code when that ends. */
  async begin(container: SimulatedContainer, ended: (code: number) => void): Promise<void> {
    if (container.image.serves) return this.#ground.traffic.open(container);
    const child = this.#start(container, { argv: commandOf(container) });
    container.process = child;
    if (!child) return;
    child.stdin?.end();
    const take = (stream: 1 | 2) => (data: Buffer) => {
      if (data.toString().startsWith(serving)) void this.#ground.traffic.open(container);
      else container.write({ stream, at: this.#ground.now(), data });
    };
    child.stdout?.on('data', take(1));
    child.stderr?.on('data', take(2));
    child.on('exit', (code, signal) => {
      endSession(child, 'SIGKILL');
      // Whoever has started it again meanwhile has another one.
      if (container.process === child) ended(code ?? (signal === 'SIGTERM' ? 143 : 137));
    });
  }

  /** Starts a command in it; undefined where there is no such program. */
  exec(container: SimulatedContainer, asked: Asked): ChildProcess | undefined {
    const child = this.#start(container, asked);
    if (!child) return undefined;
    container.execs.add(child);
    child.on('exit', () => container.execs.delete(child));
    return child;
  }

  /** Ends all that runs in it, at once. */
  end(container: SimulatedContainer): void {
    const { process, execs } = container;
    container.process = undefined;
    for (const child of [...(process ? [process] : []), ...execs]) endSession(child, 'SIGKILL');
    execs.clear();
    this.#ground.traffic.close(container);
  }

  #rootOf({ id }: SimulatedContainer): string {
    const folder = join(this.#ground.folder, 'containers', id);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  #start(container: SimulatedContainer, { argv, env = [], workingDir }: Asked): ChildProcess | undefined {
    const cwd = this.pathIn(container, workingDir ?? '/');
    mkdirSync(cwd, { recursive: true });
    for (const place of placesOf(container)) mkdirSync(this.pathIn(container, place), { recursive: true });
    const given = [...variablesOf(container), ...env].map((line) => line.split(/=(.*)/s).slice(0, 2));
    const live = placesOf(container).includes('/live') ? { EDGE_LIVE: this.pathIn(container, '/live') } : {};
    return this.#ground.programs.start(
      argv.map((word) => this.#here(container, word)),
      { cwd, env: { ...Object.fromEntries(given), EDGE_GATEWAY: this.#ground.address, ...live } },
    );
  }

  /** There is no other file system and no other loopback: what a word says of them is said of those on this computer. */
  #here(container: SimulatedContainer, word: string): string {
    const mounted = placesOf(container).reduce(
      (text, place) =>
        text.replaceAll(new RegExp(`(?<![\\w/])${place}(?=[/\\s;]|$)`, 'g'), this.pathIn(container, place)),
      word,
    );
    return mounted.replaceAll('127.0.0.1', container.address);
  }
}

/** Returns the places in a container that are not of its image: volumes, and folders in memory. */
function placesOf({ mounts, body }: SimulatedContainer): string[] {
  const inMemory = Object.keys(body.HostConfig?.Tmpfs ?? {});
  return [...mounts.map(({ target }) => target), ...inMemory.filter((path) => path !== '/tmp')];
}

function commandOf({ body, image: { config } }: SimulatedContainer): string[] {
  const entrypoint = (body.Entrypoint ?? config['Entrypoint'] ?? []) as readonly string[];
  const command = (body.Cmd ?? (body.Entrypoint ? [] : (config['Cmd'] ?? []))) as readonly string[];
  return [...entrypoint, ...command];
}
