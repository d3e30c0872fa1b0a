import type { Server } from 'node:net';
import { join } from 'node:path';
import { LockageError } from '../../pipelines/errors.ts';
import { settingsOf, type Endpoint, type TlsFiles } from '../../pipelines/model/endpoint.ts';
import { canonicalJson } from '../../pipelines/model/fingerprint.ts';
import type { Host, SshHost, Swarm, Target } from '../../pipelines/model/target.ts';
import { homeFolder } from '../system/this-user.ts';
import type { EngineAddress, TcpAddress } from './address.ts';
import { Engine } from './api/client.ts';
import type { HostKey } from './ssh/errors.ts';
import { HostKeys } from './ssh/host-keys.ts';
import type { ReverseForward } from './ssh/reverse-forward.ts';
import { SshLink } from './ssh/ssh.ts';
import { anyManager } from './swarm-leader.ts';
import { TlsLink } from './tls/tls.ts';

export { HostKeyChangedError, HostKeyUnknownError, type HostKey } from './ssh/errors.ts';

/** Milliseconds for an engine on the network to give its first answer. */
const answerTimeout = 10_000;

/** Milliseconds for which a failed connection that took long is not tried again. */
const retryPause = 5_000;

export interface ConnectionsOptions {
  /** where accepted host keys are kept, in `known_hosts` */
  readonly stateDir: string;
  /** today's hosts: a recorded host may have other keys and certificates by now, so its namesake here is used */
  readonly configured?: () => readonly Target[];
  /** called when a connection is opened again */
  readonly log?: (line: string) => void;
}

/** A target with its engine, or why it has none. */
export type Connected<T extends Target = Target> =
  { readonly host: T; readonly engine: Engine } | { readonly host: T; readonly error: unknown };

/** Milliseconds for which a manager speaks for its swarm before it is asked again whether it can. */
const leaderLife = 1000;

/** The engines of hosts, each connected once, at its first use. */
export class Connections {
  readonly #keys: HostKeys;
  readonly #stateDir: string;
  readonly #configured: () => readonly Target[];
  readonly #log: (line: string) => void;
  readonly #engines = new Map<string, Promise<Engine>>();
  readonly #links: SshLink[] = [];
  readonly #closing = new AbortController();
  readonly #leaders = new Map<string, { readonly engine: Promise<Engine>; readonly until: number }>();

  constructor(options: ConnectionsOptions) {
    this.#keys = new HostKeys(options.stateDir);
    this.#stateDir = options.stateDir;
    this.#configured = options.configured ?? (() => []);
    this.#log = options.log ?? (() => undefined);
  }

  /**
   * Returns the host's engine, which has just answered; of a swarm, the engine of a manager that can decide now.
   * Throws HostKeyUnknownError on first contact over ssh, HostKeyChangedError, and LockageError naming the host for
   * anything else that keeps it from answering.
   */
  engine(target: Target): Promise<Engine> {
    switch (target.kind) {
      case 'host':
        return this.#ofHost(target);
      case 'swarm':
        return this.#leader(target);
      case 'pending':
        return Promise.reject(
          new LockageError(`${target.name} is not made yet`, {
            hint: 'The next promotion to its environment makes it.',
          }),
        );
    }
  }

  #ofHost(given: Host): Promise<Engine> {
    const host = expandHome(this.#asConfigured(given));
    const key = keyOf(host);
    const found = this.#engines.get(key);
    if (found) return found;
    const made = this.#connect(host);
    this.#engines.set(key, made);
    // a failure is not remembered: the host may be back, or its key confirmed
    made.catch(() => this.#engines.delete(key));
    return made;
  }

  /** Returns the engine that speaks for a swarm, asked again after a moment: a manager may be lost at any time. */
  #leader(swarm: Swarm): Promise<Engine> {
    const key = JSON.stringify(swarm.managers.map(({ name, endpoint }) => [name, endpoint.url]));
    const found = this.#leaders.get(key);
    if (found && performance.now() < found.until) return found.engine;
    const engine = anyManager(swarm, (manager) => this.engine(manager));
    this.#leaders.set(key, { engine, until: performance.now() + leaderLife });
    engine.catch(() => this.#leaders.delete(key));
    return engine;
  }

  /** Connects to hosts, at most `limit` at once. Never throws: each host has its own result, in the given order. */
  async connectAll<T extends Target>(hosts: readonly T[], limit = 16): Promise<Connected<T>[]> {
    const results: Connected<T>[] = [];
    const waiting = hosts.entries();
    const worker = async () => {
      for (const [index, host] of waiting) {
        results[index] = await this.engine(host).then(
          (engine) => ({ host, engine }),
          (error: unknown) => ({ host, error }),
        );
      }
    };
    await Promise.all(Array.from({ length: Math.min(limit, hosts.length) }, worker));
    return results;
  }

  /** Returns the ssh connection to a host's machine itself. */
  link(host: SshHost): SshLink {
    return new SshLink(withFiles(host), this.#keys);
  }

  /** Opens a port on a host that is reached by ssh for a server of this process, over the connection of its engine. */
  reverseForward(host: SshHost, server: Server): Promise<ReverseForward> {
    return this.link(this.#asConfigured(host)).reverseForward(server);
  }

  /**
   * Returns the host keys offered now, with the address that offers them: the host, or the unknown machine to jump
   * through.
   */
  scanHostKeys(host: SshHost): Promise<{ address: string; keys: HostKey[] }> {
    return this.#keys.scan(withFiles(host));
  }

  /** Returns the fingerprints of the keys accepted for the machine that `scanHostKeys` asks. */
  acceptedHostKeys(host: SshHost): Promise<string[]> {
    return this.#keys.accepted(withFiles(host));
  }

  /** Accepts the offered key that a person confirmed. Throws HostKeyChangedError if no such key is offered now. */
  trustHostKey(host: SshHost, fingerprint: string): Promise<void> {
    return this.#keys.trust(withFiles(host), fingerprint);
  }

  /**
   * Closes all engines. The ssh connections stay ten minutes for the next command, unless `disconnect`, which ends
   * them for every process of this user.
   */
  async close(options: { readonly disconnect?: boolean } = {}): Promise<void> {
    this.#closing.abort();
    // A host that has not answered yet must not keep the user waiting: its engine is closed when it does.
    for (const engine of this.#engines.values()) {
      engine.then(
        (connected) => connected.close(),
        () => undefined,
      );
    }
    this.#engines.clear();
    if (options.disconnect) await Promise.all(this.#links.map((link) => link.disconnect()));
    this.#links.length = 0;
  }

  /** Returns the host with today's keys and certificates; environments may reach one engine each in its own way. */
  #asConfigured<E extends Endpoint>(host: Host<E>): Host<E> {
    const namesakes = this.#configured().filter((other) => isNamesake(host, other));
    return namesakes.find((each) => keyOf(each) === keyOf(host)) ?? namesakes[0] ?? host;
  }

  async #connect(host: Host): Promise<Engine> {
    const { name, endpoint } = host;
    switch (endpoint.kind) {
      case 'unix': {
        const engine = new Engine({ host: name, socketPath: endpoint.socket });
        await engine.greet();
        return engine;
      }
      case 'ssh':
        return this.#reconnecting(name, this.#overSsh({ ...host, endpoint }));
      case 'tcp': {
        const { tls, port } = endpoint;
        const tcp = { host: endpoint.host, port };
        const engine = tls
          ? await this.#reconnecting(name, this.#overTls(host, tcp, tls))
          : new Engine({ host: name, tcp });
        await engine.greet({ deadline: answerTimeout });
        return engine;
      }
    }
  }

  /** Returns an engine whose connection is opened once more when it breaks. */
  async #reconnecting(host: string, open: () => Promise<EngineAddress>): Promise<Engine> {
    let reconnecting: Promise<EngineAddress> | undefined;
    const reconnect = () => {
      this.#log(`${host}: the connection broke, connecting again`);
      reconnecting ??= throttled(open, () => (reconnecting = undefined));
      return reconnecting;
    };
    return new Engine({ host, ...(await open()), reconnect });
  }

  #overSsh(host: SshHost): () => Promise<EngineAddress> {
    const link = new SshLink(host, this.#keys);
    this.#links.push(link);
    return async () => ({ socketPath: await link.open() });
  }

  #overTls(host: Host, tcp: TcpAddress, files: TlsFiles): () => Promise<EngineAddress> {
    const link = new TlsLink(host, tcp, files, this.#stateDir);
    return async () => ({ tcp: await link.open(this.#closing.signal) });
  }
}

/** Opens a connection. When it took long to find out that nobody answers, callers soon after get the same failure. */
async function throttled<T>(open: () => Promise<T>, done: () => void): Promise<T> {
  const started = performance.now();
  try {
    const opened = await open();
    done();
    return opened;
  } catch (error) {
    if (performance.now() - started < retryPause) done();
    else setTimeout(done, retryPause).unref();
    throw error;
  }
}

/** Returns whether a target is the same host, of the same URL. The way it is reached may be written differently. */
function isNamesake<E extends Endpoint>(host: Host<E>, other: Target): other is Host<E> {
  // The URL has the scheme, so the endpoint is of the same kind.
  return other.kind === 'host' && other.name === host.name && other.endpoint.url === host.endpoint.url;
}

/** Returns the key of a host: two hosts with the same key are reached in the same way. */
function keyOf({ name, endpoint }: Host): string {
  return canonicalJson([name, settingsOf(endpoint)]);
}

/** Returns the host with `~/` in the paths of its keys replaced by the home folder of the user. */
function expandHome(host: Host): Host {
  const { endpoint } = host;
  switch (endpoint.kind) {
    case 'unix':
      return host;
    case 'ssh':
      return withFiles({ ...host, endpoint });
    case 'tcp': {
      const { tls } = endpoint;
      if (!tls) return host;
      const files = { ca: inHome(tls.ca), cert: inHome(tls.cert), key: inHome(tls.key) };
      return { ...host, endpoint: { ...endpoint, tls: files } };
    }
  }
}

function withFiles(host: SshHost): SshHost {
  const { identity, config } = host.endpoint;
  const files = {
    ...(identity === undefined ? {} : { identity: inHome(identity) }),
    ...(typeof config === 'string' ? { config: inHome(config) } : {}),
  };
  return { ...host, endpoint: { ...host.endpoint, ...files } };
}

function inHome(file: string): string {
  return file.startsWith('~/') ? join(homeFolder(), file.slice(2)) : file;
}
