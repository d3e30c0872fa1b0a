/**
 * The registry of projects that name none: one container on the operator's own Docker Engine, for all of their projects, with
 * its data in a volume. It listens at one port of the loopback, which stays the same; hosts come to it over their ssh
 * connections. What is recorded never names that port, so a container that is gone is made again at another one if need be.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange } from '../../infra/registry/http.ts';
import { childEnvironment, variablesFor } from '../../infra/system/environment.ts';
import { withFileLock } from '../../infra/system/file-lock.ts';
import { runToEnd, type Ended } from '../../infra/system/process.ts';
import { runtimeFolder } from '../../infra/system/runtime-folder.ts';
import { flag, list, map, maybe, or, record, text } from '../../infra/system/shapes.ts';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { dockerHint } from '../tools/docker-hint.ts';

/** The name of the container, and of the volume with its data. */
export const registryName = 'lockage-registry';
/** What it is made from: set-up's image, or else the official one, which is pulled. */
export const registryImages = { ofSetup: 'lockage-base/registry', official: 'registry:3' } as const;

const label = 'lockage.registry';
/** Where both images have their configuration. */
const configFile = '/etc/distribution/config.yml';
const volumePath = '/var/lib/registry';
const innerPort = 5000;
/** Below the ports that computers take for outgoing connections: one of those may be taken when Docker comes up. */
const ports = Array.from({ length: 100 }, (_, index) => 15_050 + index);
const portTaken = /port is already allocated|address already in use|ports are not available/i;
const questionTimeout = 30_000;
const pullTimeout = 10 * 60_000;
const collectTimeout = 10 * 60_000;
const answerTimeout = 15_000;
const instead = 'write `repository: REPOSITORY` in lockage.yaml for a registry of your own';

/** The embedded registry, as it is reached now. */
export interface RunningRegistry {
  /** `127.0.0.1:15050` */
  readonly address: string;
  /** id of its container */
  readonly container: string;
  readonly image: string;
}

export interface EmbeddedRegistryOptions {
  /** of the container and its volume; `lockage-registry` by default */
  readonly name?: string;
  /** says what is done for the first time */
  readonly tell: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** The embedded registry of this computer. */
export class EmbeddedRegistry {
  readonly #options: EmbeddedRegistryOptions;
  readonly #name: string;
  #running: Promise<RunningRegistry> | undefined;

  constructor(options: EmbeddedRegistryOptions) {
    this.#options = options;
    this.#name = options.name ?? registryName;
  }

  /**
   * Returns the registry, which has just answered. Makes it where there is none, and starts it where somebody stopped it. Throws
   * LockageError: nothing else was changed.
   */
  running(): Promise<RunningRegistry> {
    if (this.#running) return this.#running;
    const found = this.#ensure();
    this.#running = found;
    // A failure is not remembered: Docker may be up a moment later.
    found.catch(() => (this.#running = undefined));
    return found;
  }

  /** Returns the registry as it is, and whether it runs; undefined where it was not made yet. Starts nothing. Throws LockageError. */
  async look(): Promise<(RunningRegistry & { readonly runs: boolean }) | undefined> {
    const found = await this.#inspect();
    return found && { ...describe(found), runs: found.State.Running };
  }

  /** Returns the image that it would be made from; undefined where that has to be pulled. */
  async image(): Promise<string | undefined> {
    for (const image of Object.values(registryImages)) {
      if ((await this.#docker(['image', 'inspect', '--format', '{{.Id}}', image])).code === 0) return image;
    }
    return undefined;
  }

  /**
   * Frees the disk of what was removed from it. It rests meanwhile: an upload that began and has no manifest yet would be
   * taken for garbage, and fails instead. Throws LockageError.
   */
  async collect(): Promise<void> {
    const { image } = await this.running();
    this.#running = undefined;
    const collected = await this.#alone(async () => {
      await this.#docker(['container', 'stop', this.#name]);
      return this.#docker(collectArguments(this.#name, image), collectTimeout);
    });
    await this.running();
    if (collected.code === 0) return;
    throw new LockageError('the embedded registry cannot free the disk of what was removed', {
      details: linesOf(collected),
      hint: 'Nothing that is needed is gone. Run `lockage prune` again when more is removed.',
    });
  }

  async #ensure(): Promise<RunningRegistry> {
    const found = await this.#inspect();
    const isUp = found !== undefined && found.State.Running && !found.State.Paused;
    const running = describe(isUp ? found : await this.#alone(() => this.#bringUp()));
    await this.#answers(running);
    return running;
  }

  /** Runs what no other command of this computer may do at the same time. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    return withFileLock(join(await runtimeFolder(), `${this.#name}.lock`), 2 * collectTimeout, work);
  }

  /** Makes or starts what another command has not brought up meanwhile. */
  async #bringUp(): Promise<Inspected> {
    // What collects its garbage goes on when its command was killed, and must see no upload.
    await this.#docker(['container', 'wait', garbageName(this.#name)], collectTimeout);
    const found = await this.#inspect();
    if (!found) return this.#make();
    if (found.State.Paused) await this.#docker(['container', 'unpause', this.#name]);
    return found.State.Running ? found : this.#start(found);
  }

  async #inspect(): Promise<Inspected | undefined> {
    const words = ['container', 'inspect', '--format', '{{json .}}', this.#name];
    const asked = await this.#docker(words).catch((error: unknown) => {
      throw noDocker([messageOf(error)], error);
    });
    if (asked.code !== 0 && /no such (container|object)/i.test(asked.stderr)) return undefined;
    if (asked.code !== 0) throw noDocker(linesOf(asked));
    const found = inspectedIn(asked.stdout);
    if (found.Config.Labels[label] === undefined) {
      throw new LockageError(`there is a container ${this.#name} that is not Lockage's`, {
        details: [`it is made from ${found.Config.Image}`],
        hint: `Give it another name with \`docker rename\`, or ${instead}.`,
      });
    }
    return found;
  }

  async #make(): Promise<Inspected> {
    const image = (await this.image()) ?? (await this.#pull());
    this.#options.tell(`no repository is configured: a registry on this computer serves (container ${this.#name})`);
    return this.#create(image, ports);
  }

  /** Creates and starts a container at the first of these ports that is free. */
  async #create(image: string, [port, ...others]: readonly number[]): Promise<Inspected> {
    if (port === undefined) {
      throw new LockageError(`the embedded registry finds no free port among ${ports[0]} to ${ports.at(-1)}`, {
        hint: `Free one of them on 127.0.0.1, or ${instead}.`,
      });
    }
    if (!(await isFree(port))) return this.#create(image, others);
    const created = await this.#docker(createArguments(this.#name, image, port));
    if (created.code !== 0) throw notMade(created);
    const started = await this.#docker(['container', 'start', this.#name]);
    if (started.code !== 0 && portTaken.test(started.stderr)) {
      await this.#docker(['container', 'rm', this.#name]);
      return this.#create(image, others);
    }
    if (started.code !== 0) throw notStarted(this.#name, started);
    const found = await this.#inspect();
    if (found?.State.Running) return found;
    throw notStarted(this.#name, await this.#docker(['container', 'logs', '--tail', '5', this.#name]));
  }

  /** Starts the container that is there. Where somebody has its port by now, another one takes its place, with the same data. */
  async #start(found: Inspected): Promise<Inspected> {
    const started = await this.#docker(['container', 'start', this.#name]);
    if (started.code !== 0) {
      if (!portTaken.test(started.stderr)) throw notStarted(this.#name, started);
      this.#options.tell(`${describe(found).address} is taken: the embedded registry moves to another port`);
      await this.#docker(['container', 'rm', this.#name]);
      return this.#create(found.Config.Image, ports);
    }
    this.#options.tell('the embedded registry was stopped, and is started again');
    return (await this.#inspect()) ?? this.#create(found.Config.Image, ports);
  }

  async #pull(): Promise<string> {
    const { official, ofSetup } = registryImages;
    this.#options.tell(`pull ${official}, which the embedded registry is made from`);
    const pulled = await this.#docker(['image', 'pull', '--quiet', official], pullTimeout);
    if (pulled.code === 0) return official;
    throw new LockageError(
      `the embedded registry cannot be made: there is no ${ofSetup}, and ${official} cannot be pulled`,
      {
        details: linesOf(pulled),
        hint: `Run \`npm run setup\` in a clone of Lockage, which makes that image; or ${instead}.`,
      },
    );
  }

  /** Waits until the registry answers this process. */
  async #answers({ address }: RunningRegistry): Promise<void> {
    const url = new URL(`http://${address}/v2/`);
    const end = performance.now() + answerTimeout;
    let reason = '';
    while (performance.now() < end) {
      this.#options.signal?.throwIfAborted();
      try {
        const { status } = await exchange(url, { method: 'GET' }, AbortSignal.timeout(2000));
        if (status === 200) return;
        reason = `it answers ${status}`;
      } catch (error) {
        reason = messageOf(error);
      }
      await sleep(50);
    }
    const logs = await this.#docker(['container', 'logs', '--tail', '5', this.#name]);
    throw new LockageError(`the embedded registry does not answer at ${address}: ${reason}`, {
      details: linesOf(logs),
      hint: `Look at \`docker logs ${this.#name}\`. Where Docker runs on another computer than this command, ${instead}.`,
    });
  }

  #docker(words: readonly string[], deadline = questionTimeout): Promise<Ended> {
    return runToEnd('docker', words, deadline, { env: childEnvironment(variablesFor('docker')) });
  }
}

/** The container as Docker tells of it; only what is read. */
interface Inspected {
  readonly Id: string;
  readonly State: { readonly Running: boolean; readonly Paused: boolean };
  readonly Config: { readonly Image: string; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: {
    readonly PortBindings?: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>> | null;
  };
}

const inspected = record({
  Id: text,
  State: record({ Running: flag, Paused: or(flag, false) }),
  Config: record({ Image: text, Labels: or(map(text), {}) }),
  HostConfig: record({ PortBindings: maybe(map(maybe(list(record({ HostPort: or(text, '') }))))) }),
});

/** Reads what `docker` says of the container: another program may be called so here. Throws LockageError. */
export function inspectedIn(printed: string): Inspected {
  try {
    return inspected(JSON.parse(printed), 'it') as Inspected;
  } catch (cause) {
    throw noDocker([`\`docker container inspect\` printed something else: ${messageOf(cause).slice(0, 200)}`], cause);
  }
}

const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];

/** Returns the arguments of the Docker CLI to create the container. */
export function createArguments(name: string, image: string, port: number): string[] {
  return [
    ...['container', 'create', '--name', name, '--label', `${label}=embedded`],
    ...['--restart', 'unless-stopped', '--publish', `127.0.0.1:${port}:${innerPort}`],
    ...['--mount', `type=volume,source=${name},target=${volumePath}`],
    ...hardened,
    ...['--env', `REGISTRY_HTTP_ADDR=:${innerPort}`, '--env', 'REGISTRY_STORAGE_DELETE_ENABLED=true'],
    ...['--env', 'REGISTRY_LOG_LEVEL=warn', '--env', 'REGISTRY_LOG_ACCESSLOG_DISABLED=true'],
    // The official image sends traces to an address of its own choice otherwise.
    ...['--env', 'OTEL_TRACES_EXPORTER=none'],
    image,
  ];
}

/** Returns the arguments of the Docker CLI to remove what no manifest in the volume needs. */
function collectArguments(name: string, image: string): string[] {
  const once = ['container', 'run', '--rm', '--name', garbageName(name), '--network', 'none', '--volumes-from', name];
  return [...once, ...hardened, image, 'garbage-collect', configFile];
}

const garbageName = (name: string) => `${name}-garbage`;

function describe({ Id: container, Config, HostConfig }: Inspected): RunningRegistry {
  const port = HostConfig.PortBindings?.[`${innerPort}/tcp`]?.[0]?.HostPort ?? '';
  return { address: `127.0.0.1:${port}`, container, image: Config.Image };
}

/** Returns whether nobody listens at a port of this computer's loopback. Docker has the last word. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function noDocker(details: readonly string[], cause?: unknown): LockageError {
  return new LockageError('the embedded registry needs the Docker Engine of this computer, which does not answer', {
    details,
    hint: `${dockerHint(details.join('\n')) ?? 'Start Docker.'} Or ${instead}.`,
    cause,
  });
}

function notMade(ended: Ended): LockageError {
  return new LockageError('the embedded registry cannot be made', {
    details: linesOf(ended),
    hint: `Put right what Docker says, or ${instead}.`,
  });
}

function notStarted(name: string, ended: Ended): LockageError {
  return new LockageError('the embedded registry cannot be started', {
    details: linesOf(ended),
    hint: `Put right what Docker says: \`docker start ${name}\` has to work. Or ${instead}.`,
  });
}

function linesOf({ stdout, stderr, late }: Ended): string[] {
  const lines = `${stderr}\n${stdout}`.split('\n').filter((line) => line.trim() !== '');
  return [...(late ? ['docker did not end in time'] : []), ...lines.slice(-5)];
}
