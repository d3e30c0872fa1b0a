import { randomBytes } from 'node:crypto';
import { messageOf, WorkloadFailedError } from '../../pipelines/errors.ts';
import { dataFolder, pristineFolder } from '../../pipelines/databases/fork-scripts.ts';
import { kindNamed, type DatabaseKind, type Login } from '../../pipelines/databases/kinds.ts';
import type { ContainerBody, Engine } from '../docker/api/client.ts';
import { lastLogLines } from '../workloads/last-lines.ts';
import type { CopySource, Fork } from './copies.ts';
import { ForkConsole } from './fork-console.ts';
import { databaseParts, owned, removeOwned } from './owner.ts';
import { TemplateCopies } from './template-copies.ts';

/** A baked image, and what is needed to run it. */
export interface BakedImage {
  /** a name by which the engine has it */
  readonly image: string;
  readonly kind: DatabaseKind;
  readonly login: Login;
  /** arguments of its server */
  readonly args: readonly string[];
  /** `uid:gid` of its data */
  readonly user: string;
  /** paths that the image declares as volumes: nothing is kept there */
  readonly volumes: readonly string[];
  /** bytes of its data; absent where a fork of it cannot be made pristine again */
  readonly size?: number;
  /** bytes */
  readonly memory: number;
  readonly cpus?: number;
}

const loopback = '127.0.0.1';
/** Bytes of data that are copied once for each command, so that forks can serve again; larger ones serve once. */
const mostCopied = 2 ** 30;
const copyTimeout = 600_000;
/** Milliseconds until a used fork is pristine again, and how often it is used: what takes longer is thrown away. */
const renewTimeout = 30_000;
const mostUses = 100;
/** Milliseconds by which the clock may seem to have been set back. */
const clockNoise = 5;

/** A fork that runs here. */
interface Running {
  readonly console: ForkConsole;
  readonly port: number;
  uses: number;
  /** of the clock to the time that passed, when it was last made pristine */
  clock: number;
}

/**
 * The forks of a command: containers of a baked image, each with data of its own, on a network in which they do not see each other,
 * reached at the loopback alone. All of it goes with `close`, and is found by `sweep` where this process is killed.
 */
export class Forks implements CopySource {
  readonly #engine: Engine;
  readonly #baked: BakedImage;
  readonly #signal: AbortSignal;
  readonly #own: Readonly<Record<string, string>>;
  /** of the network, and of the volume with the data as it was baked */
  readonly #name: string;
  readonly #isReused: boolean;
  readonly #running = new Map<string, Running>();
  /** absent where each serves once */
  readonly renew?: (used: Fork) => Promise<Fork>;

  private constructor(
    engine: Engine,
    baked: BakedImage,
    own: Readonly<Record<string, string>>,
    isReused: boolean,
    signal: AbortSignal,
  ) {
    this.#engine = engine;
    this.#baked = baked;
    this.#own = own;
    this.#signal = signal;
    this.#name = `lockage-forks-${randomBytes(6).toString('hex')}`;
    this.#isReused = isReused;
    if (isReused) this.renew = (used) => this.#renew(used);
  }

  /** `mayReuse`: its forks are to serve again; those of large data, and of some kinds, serve once nevertheless. */
  static async open(engine: Engine, baked: BakedImage, mayReuse: boolean, signal: AbortSignal): Promise<Forks> {
    const isSmall = baked.size !== undefined && baked.size <= mostCopied;
    const isReused = mayReuse && isSmall && kindNamed(baked.kind).reuse !== undefined;
    const forks = new Forks(engine, baked, await owned(databaseParts.fork), isReused, signal);
    // Forks must reach neither each other nor anything outside.
    const apart = {
      'com.docker.network.bridge.enable_icc': 'false',
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
    };
    try {
      await engine.createNetwork(forks.#name, { Labels: { ...forks.#own }, Options: apart }, { signal });
      if (isReused) await forks.#keepPristine();
    } catch (error) {
      await forks.close().catch(() => undefined);
      throw error;
    }
    return forks;
  }

  /** Has the engine copy the data into a volume: it fills an empty one from the image of the first container that mounts it. */
  async #keepPristine(): Promise<void> {
    const signal = this.#signal;
    await this.#engine.createVolume(this.#name, { Labels: { ...this.#own } }, { signal });
    const body = {
      ...{ Image: this.#baked.image, Labels: { ...this.#own } },
      HostConfig: { Mounts: [{ Type: 'volume' as const, Source: this.#name, Target: dataFolder }] as never },
    };
    await this.#engine.createContainer(this.#name, body, { deadline: copyTimeout, signal });
    await this.#engine.removeContainer(this.#name, { force: true });
  }

  /** Starts one more and returns it once it can be used. Throws LockageError with its last lines; nothing of it is left then. */
  async make(): Promise<Fork> {
    const { kind } = this.#baked;
    const name = `lockage-fork-${randomBytes(8).toString('hex')}`;
    const signal = this.#signal;
    let console: ForkConsole | undefined;
    try {
      await this.#engine.createContainer(name, this.#body(), { signal });
      console = await ForkConsole.open(this.#engine, name, kindNamed(kind).ready, signal);
      await this.#engine.startContainer(name, { signal });
      const clock = clockNow();
      const [port, password] = await Promise.all([this.#portOf(name), this.#serve(console)]);
      this.#running.set(name, { console, port, uses: 1, clock });
      return this.#fork(name, port, password);
    } catch (error) {
      console?.close();
      signal.throwIfAborted();
      const details = await lastLogLines(this.#engine, name);
      await this.#remove(name).catch(() => undefined);
      throw new WorkloadFailedError(`${this.#engine.host}: a fork does not start: ${messageOf(error)}`, {
        details: details.length === 0 ? [] : [`last log lines of a ${kind}:`, ...details.map((line) => `  ${line}`)],
        cause: error,
      });
    }
  }

  /**
   * Makes a pristine copy of a used one: whatever runs there ends, its data is put back, and it gets another password. Throws where
   * that is not certain; the used one is to be dropped then.
   */
  async #renew({ name }: Fork): Promise<Fork> {
    const running = this.#running.get(name);
    if (!running || running.uses >= mostUses) throw new Error('it was used often enough');
    // What was changed is told by times.
    const clock = clockNow();
    if (clock < running.clock - clockNoise) throw new Error('the clock was set back');
    const password = await this.#serve(running.console, renewTimeout);
    Object.assign(running, { uses: running.uses + 1, clock });
    return this.#fork(name, running.port, password);
  }

  async #serve(console: ForkConsole, timeout?: number): Promise<string> {
    const password = randomBytes(18).toString('base64url');
    const { kind, login } = this.#baked;
    await console.serve(kindNamed(kind).forkInput(password, login), this.#signal, timeout);
    return password;
  }

  #fork(name: string, port: number, password: string): Fork {
    return { name, host: loopback, port, password, ...this.#baked.login };
  }

  /** Removes a fork with its data; does nothing where it is gone. */
  async drop({ name }: Fork): Promise<void> {
    await this.#remove(name);
  }

  /** Opens a session that makes copies inside a fork of PostgreSQL, which nobody else may use. */
  async template(): Promise<TemplateCopies> {
    return TemplateCopies.open(this.#engine, await this.make(), this.#signal);
  }

  /** Removes everything that this process has made here. */
  async close(): Promise<void> {
    for (const { console } of this.#running.values()) console.close();
    this.#running.clear();
    await removeOwned(this.#engine, this.#own);
  }

  async #remove(name: string): Promise<void> {
    this.#running.get(name)?.console.close();
    this.#running.delete(name);
    await this.#engine.removeContainer(name, { force: true });
  }

  #body(): ContainerBody {
    const { image, kind, args, login, user, volumes, memory, cpus } = this.#baked;
    const { port, fork } = kindNamed(kind);
    const [program = '', ...words] = fork(args, login);
    // Another test would find there what one has written: only the image's own files are put back.
    const access = this.#isReused ? 'ro' : 'rw';
    const empty = Object.fromEntries(volumes.map((path) => [path, `${access},noexec,nosuid,nodev,size=65536`]));
    return {
      Image: image,
      Entrypoint: [program],
      Cmd: words,
      User: user,
      WorkingDir: '/',
      Labels: { ...this.#own },
      ExposedPorts: { [`${port}/tcp`]: {} },
      Healthcheck: { Test: ['NONE'] },
      OpenStdin: true,
      StdinOnce: true,
      HostConfig: {
        NetworkMode: this.#name,
        ...(this.#isReused ? { Mounts: [this.#pristine()] as never } : {}),
        PortBindings: { [`${port}/tcp`]: [{ HostIp: loopback, HostPort: '' }] },
        Tmpfs: { ...empty, '/tmp': 'rw,noexec,nosuid,nodev,size=67108864,mode=1777' },
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        Memory: memory,
        MemorySwap: memory,
        ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
        PidsLimit: 256,
        Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
        LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '1' } },
        RestartPolicy: { Name: 'no' },
      },
    };
  }

  #pristine() {
    return { Type: 'volume', Source: this.#name, Target: pristineFolder, ReadOnly: true };
  }

  async #portOf(name: string): Promise<number> {
    const found = await this.#engine.inspectContainer(name, { signal: this.#signal });
    const bound = found?.NetworkSettings.Ports[`${kindNamed(this.#baked.kind).port}/tcp`]?.[0]?.HostPort;
    if (bound === undefined) throw new Error('its port is not published');
    return Number(bound);
  }
}

/** Returns milliseconds that stay the same for as long as nobody sets the clock. */
function clockNow(): number {
  // A process that has to wait between the two looks as if the clock was set back.
  return Math.max(...[1, 2, 3].map(() => Date.now() - performance.now()));
}
