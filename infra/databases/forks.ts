import { randomBytes } from 'node:crypto';
import { messageOf, WorkloadFailedError } from '../../pipelines/errors.ts';
import { forkFile, kindNamed, type DatabaseKind, type Login } from '../../pipelines/databases/kinds.ts';
import type { ContainerBody, Engine } from '../docker/api/client.ts';
import { lastLogLines } from '../workloads/last-lines.ts';
import type { CopySource, Fork } from './copies.ts';
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
  /** bytes */
  readonly memory: number;
  readonly cpus?: number;
}

/** Milliseconds until a fork has to be ready. */
const readyTimeout = 120_000;
const loopback = '127.0.0.1';

/**
 * The forks of a command: containers of a baked image, each with its data in its own layer, on a network in which they do not see
 * each other, reached at the loopback alone. All of it goes with `close`, and is found by `sweep` where this process is killed.
 */
export class Forks implements CopySource {
  readonly #engine: Engine;
  readonly #baked: BakedImage;
  readonly #signal: AbortSignal;
  readonly #own: Readonly<Record<string, string>>;
  readonly #network: string;

  private constructor(engine: Engine, baked: BakedImage, own: Readonly<Record<string, string>>, signal: AbortSignal) {
    this.#engine = engine;
    this.#baked = baked;
    this.#own = own;
    this.#signal = signal;
    this.#network = `lockage-forks-${randomBytes(6).toString('hex')}`;
  }

  static async open(engine: Engine, baked: BakedImage, signal: AbortSignal): Promise<Forks> {
    const forks = new Forks(engine, baked, await owned(databaseParts.fork), signal);
    // Forks must reach neither each other nor anything outside.
    const apart = {
      'com.docker.network.bridge.enable_icc': 'false',
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
    };
    await engine.createNetwork(forks.#network, { Labels: { ...forks.#own }, Options: apart }, { signal });
    return forks;
  }

  /** Starts one more and returns it once it can be used. Throws LockageError with its last lines; nothing of it is left then. */
  async make(): Promise<Fork> {
    const { kind, login } = this.#baked;
    const name = `lockage-fork-${randomBytes(8).toString('hex')}`;
    const password = randomBytes(18).toString('base64url');
    const signal = this.#signal;
    try {
      await this.#engine.createContainer(name, this.#body(), { signal });
      await this.#engine.putArchive(name, '/', [this.#passwordFile(password)], { signal });
      await this.#engine.startContainer(name, { signal });
      const [port] = await Promise.all([this.#portOf(name), this.#untilReady(name)]);
      return { name, host: loopback, port, password, ...login };
    } catch (error) {
      signal.throwIfAborted();
      const details = await lastLogLines(this.#engine, name);
      await this.#remove(name).catch(() => undefined);
      throw new WorkloadFailedError(`${this.#engine.host}: a fork does not start: ${messageOf(error)}`, {
        details: details.length === 0 ? [] : [`last log lines of a ${kind}:`, ...details.map((line) => `  ${line}`)],
        cause: error,
      });
    }
  }

  /** Removes a fork with its data; does nothing where it is gone. */
  async drop({ name }: Fork): Promise<void> {
    await this.#remove(name);
  }

  /** Opens a session that makes copies inside a fork of PostgreSQL, which nobody else may use. */
  async template(): Promise<TemplateCopies> {
    return new TemplateCopies(this.#engine, await this.make(), this.#signal);
  }

  /** Removes everything that this process has made here. */
  async close(): Promise<void> {
    await removeOwned(this.#engine, this.#own);
  }

  async #remove(name: string): Promise<void> {
    await this.#engine.removeContainer(name, { force: true });
  }

  #body(): ContainerBody {
    const { image, kind, args, login, user, volumes, memory, cpus } = this.#baked;
    const { port, fork } = kindNamed(kind);
    const [program = '', ...words] = fork(args, login);
    const empty = Object.fromEntries(volumes.map((path) => [path, 'rw,noexec,nosuid,nodev,size=65536']));
    return {
      Image: image,
      Entrypoint: [program],
      Cmd: words,
      User: user,
      WorkingDir: '/',
      Labels: { ...this.#own },
      ExposedPorts: { [`${port}/tcp`]: {} },
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        NetworkMode: this.#network,
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

  /** The password is no variable or argument: whoever may inspect the container sees those. */
  #passwordFile(password: string) {
    const { kind, login, user } = this.#baked;
    const [uid = 0, gid = 0] = user.split(':').map(Number);
    return { path: forkFile.slice(1), mode: 0o600, uid, gid, content: kindNamed(kind).forkFile(password, login) };
  }

  async #portOf(name: string): Promise<number> {
    const found = await this.#engine.inspectContainer(name, { signal: this.#signal });
    const bound = found?.NetworkSettings.Ports[`${kindNamed(this.#baked.kind).port}/tcp`]?.[0]?.HostPort;
    if (bound === undefined) throw new Error('its port is not published');
    return Number(bound);
  }

  async #untilReady(name: string): Promise<void> {
    const { ready } = kindNamed(this.#baked.kind);
    const late = AbortSignal.timeout(readyTimeout);
    const output = this.#engine.logs(name, { follow: true, signal: AbortSignal.any([late, this.#signal]) });
    for await (const { line } of output) if (ready.test(line)) return;
    this.#signal.throwIfAborted();
    throw new Error(late.aborted ? `it was not ready within ${readyTimeout / 1000} s` : 'it has ended');
  }
}
