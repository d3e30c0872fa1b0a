/** The benchmark's own hosts, project and images, and the command line as a user runs it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostKeys } from '../../infra/docker/ssh/host-keys.ts';
import { SshLink } from '../../infra/docker/ssh/ssh.ts';
import { hostKey, identityFile } from '../../infra/machines/keys.ts';
import { sshHostOf } from '../../pipelines/model/target-record.ts';
import { createLab, type BareHost, type Lab, type LabEnvironment, type LabHost } from '../../scripts/lab/lab.ts';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { run, tryRun } from '../../scripts/tools/command.ts';
import { HandSwarm } from './by-hand-swarm.ts';
import { HandHost, type Hand } from './by-hand.ts';
import type { Door } from './visitor.ts';

const longestCommand = 300_000;

/** A host of an environment, as the benchmark looks into it beside Lockage. */
export type PlaceHost = Pick<LabHost, 'name' | 'address' | 'dockerHost'>;

/** An environment of the benchmark: some of the lab's hosts, under a port that no other environment has. */
export interface Place {
  readonly name: string;
  readonly port: number;
  readonly hosts: readonly PlaceHost[];
  readonly doors: readonly Door[];
  /** on a swarm: containers of its role */
  readonly replicas?: number;
  /** machines that the environment makes itself, as in its file: its hosts are known once these are made */
  readonly machines?: object;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** milliseconds from the start of the process to its end */
  readonly took: number;
}

export class Stage {
  readonly lab: Lab;
  readonly #folder: string;
  readonly #app: string;
  readonly #firstPort: number;
  readonly #beside: Stage[] = [];
  #settings: object = {};
  readonly #places: Place[] = [];
  readonly #byHand = new Map<string, Hand>();
  readonly #links: SshLink[] = [];
  readonly #running = new Set<ChildProcess>();

  private constructor(lab: Lab, folder: string, app = 'bench', firstPort = 8001) {
    this.lab = lab;
    this.#folder = folder;
    this.#app = app;
    this.#firstPort = firstPort;
  }

  /** Makes the hosts. Each is in `made` at once, so that it can be removed whatever happens. */
  static async open(
    environments: Readonly<Record<string, LabEnvironment>>,
    signal: AbortSignal,
    log: (line: string) => void,
  ): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'lb-'));
    try {
      const name = `b${folder.slice(-6).toLowerCase()}`;
      const lab = await createLab({ name, environments, dataDir: join(folder, 'lab'), seed: ['edge', 'node'], log });
      const stage = new Stage(lab, folder);
      await mkdir(join(stage.project, 'environments'), { recursive: true });
      signal.throwIfAborted();
      return stage;
    } catch (error) {
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
      throw error;
    }
  }

  /** Returns another project on the same hosts, under ports of its own; it goes with this one. */
  async beside(app: string): Promise<Stage> {
    const stage = new Stage(this.lab, this.#folder, app, this.#firstPort + 100 * (this.#beside.length + 1));
    this.#beside.push(stage);
    await mkdir(join(stage.project, 'environments'), { recursive: true });
    return stage;
  }

  /** Adds settings to the project's file, from the next place on. */
  configure(settings: object): void {
    this.#settings = { ...this.#settings, ...settings };
  }

  /** the folder of the project */
  get project(): string {
    return join(this.#folder, this.#app === 'bench' ? 'project' : `project-${this.#app}`);
  }

  get images(): { edge: string; node: string } {
    const { edge = '', node = '' } = this.lab.images;
    return { edge, node };
  }

  /** Adds an environment on these hosts. Its releases pass no other environment, and it is not watched after a switch. */
  async place(name: string, hosts: readonly BareHost[], replicas = 1): Promise<Place> {
    const list = hosts.map((host) => ({
      ...{ name: host.name, url: host.url, address: host.address },
      ...(host.identity === undefined ? {} : { identity: host.identity, hostKey: host.hostKey }),
      ...(host.tls === undefined ? {} : { tls: host.tls }),
    }));
    const isSwarm = hosts.some(({ node }) => node !== undefined);
    const targets = isSwarm ? { kind: 'swarm', managers: list } : list;
    return this.#place(placed(name, this.#freePort, hosts, isSwarm ? { replicas } : {}), targets);
  }

  /** Adds an environment on machines that it makes at its first promotion; after that see `made`. */
  async machinePlace(name: string, machines: object): Promise<Place> {
    return this.#place(placed(name, this.#freePort, [], { machines }), machines);
  }

  /** Returns an environment with the hosts that it has by now. */
  async made(place: Place): Promise<Place> {
    const { name, port, machines } = place;
    if (machines === undefined) return place;
    const { stdout } = await this.must('host', 'ls', name, '--json');
    const { hosts } = JSON.parse(stdout) as { hosts: { name: string; url: string; address: string }[] };
    const keys = join(this.project, '.lockage', 'machine-keys');
    const reached = await Promise.all(
      hosts.map(async (host) => {
        const { fingerprint } = await hostKey(keys, name, host.name);
        const way = sshHostOf({ ...host, identity: identityFile(keys, name), hostKey: fingerprint });
        const link = new SshLink(way, new HostKeys(join(this.project, '.lockage')));
        this.#links.push(link);
        return { ...host, dockerHost: `unix://${await link.open()}` };
      }),
    );
    return placed(name, port, reached, { machines });
  }

  get #freePort(): number {
    return this.#firstPort + this.#places.length;
  }

  async #place(place: Place, targets: object): Promise<Place> {
    const { name, port, replicas } = place;
    this.#places.push(place);
    const web = { publish: port, ...(replicas === undefined ? {} : { count: replicas }) };
    await this.#write(`environments/${name}.yaml`, { targets, roles: { web } });
    const { registry } = this.lab;
    await this.#write('lockage.yaml', {
      app: this.#app,
      repository: `${registry}/${this.#app}`,
      insecureRegistries: [registry],
      edge: { image: this.images.edge },
      pipeline: this.#places.map((each) => ({ name: each.name, after: [] })),
      roles: { web: { port: 8080, health: { path: '/healthz', interval: '100ms', healthy: 1 }, stop: '2s' } },
      watch: '0s',
      ...this.#settings,
    });
    return place;
  }

  /** Returns the same hosts with a proxy of their own, changed by hand. */
  async byHand({ name, hosts, replicas }: Place): Promise<Hand[]> {
    if (replicas !== undefined) return [await this.#prepared(`swarm ${name}`, () => new HandSwarm(hosts, replicas))];
    return Promise.all(hosts.map((host) => this.#prepared(host.name, () => new HandHost(host))));
  }

  async #prepared(key: string, make: () => Hand): Promise<Hand> {
    const found = this.#byHand.get(key);
    if (found) return found;
    const made = make();
    this.#byHand.set(key, made);
    await made.prepare(this.images.edge);
    return made;
  }

  /**
   * Builds a small static server as a release: it answers its version within a few milliseconds of its start.
   * `ballast`: bytes of a first layer that no compression makes less, and of a second one.
   */
  async release(version: string, ballast: readonly Buffer[] = []): Promise<string> {
    const context = await mkdtemp(join(this.#folder, 'build-'));
    const steps = ballast.map((_, index) => `COPY ballast-${index} /`);
    const dockerfile = [
      ...[`FROM ${this.images.edge}`, ...steps, 'COPY www /www', 'USER 1000'],
      'ENTRYPOINT ["httpd","-f","-p","8080","-h","/www"]',
      'CMD []',
    ];
    await mkdir(join(context, 'www'));
    const answer = `{"version":"${version}"}\n`;
    await Promise.all([
      writeFile(join(context, 'Dockerfile'), `${dockerfile.join('\n')}\n`),
      writeFile(join(context, 'www', 'index.html'), answer),
      writeFile(join(context, 'www', 'healthz'), answer),
      ...ballast.map((bytes, index) => writeFile(join(context, `ballast-${index}`), bytes)),
    ]);
    return this.#publish(version, context, []);
  }

  /** Builds the tests' service as a release, which answers slowly where a request asks for it. */
  async slowRelease(version: string): Promise<string> {
    const context = await mkdtemp(join(this.#folder, 'build-'));
    await cp(join(packageRoot(), 'test/support/test-app'), context, { recursive: true });
    await writeFile(join(context, 'behaviour.json'), `{"version":"${version}"}\n`);
    return this.#publish(version, context, ['--build-arg', `BASE=${this.images.node}`]);
  }

  /** Runs `lockage WORDS` to its end; any exit code is a result. */
  async lockage(...words: string[]): Promise<Ended> {
    const started = performance.now();
    const child = spawn(process.execPath, [join(packageRoot(), 'dist', 'lockage.mjs'), ...words], {
      cwd: this.project,
      env: this.#env(),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: longestCommand,
      killSignal: 'SIGKILL',
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return new Promise((resolve, reject) => {
      let took = 0;
      child.on('error', reject);
      child.on('exit', () => (took = performance.now() - started));
      child.on('close', (code) => resolve({ code, stdout, stderr, took }));
    });
  }

  /** Runs `lockage WORDS` for a command that must succeed. */
  async must(...words: string[]): Promise<Ended> {
    const ended = await this.lockage(...words);
    if (ended.code === 0) return ended;
    throw new Error(`lockage ${words.join(' ')} ended with ${ended.code}:\n${ended.stderr}`);
  }

  promote(version: string, place: Place): Promise<Ended> {
    return this.must('promote', version, '--to', place.name, '--yes', '--json');
  }

  async remove(): Promise<void> {
    // A command under way would write its folder again after it was removed.
    const running = [this, ...this.#beside].flatMap((stage) => [...stage.#running]);
    const ending = running.map((child) => once(child, 'exit'));
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(ending);
    for (const hand of this.#byHand.values()) hand.close();
    for (const link of this.#links) await link.disconnect().catch(() => undefined);
    // The lab does not know machines that an environment made. When they cannot be ended, the rest still has to go.
    const own = this.#places.filter(({ machines }) => machines !== undefined);
    for (const { name } of own) await this.must('destroy', name, '--yes', '--volumes').catch(say);
    await endSshMasters(join(this.#folder, 'lockage'));
    await this.lab.remove();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  async #publish(version: string, context: string, options: readonly string[]): Promise<string> {
    const image = `${this.lab.registry}/${this.#app}:build-${version}`;
    const env = { DOCKER_HOST: this.lab.builder.dockerHost };
    await run(['docker', 'build', '--quiet', ...options, '--tag', image, context], { env, timeout: 180_000 });
    await run(['docker', 'push', '--quiet', image], { env, timeout: 180_000 });
    await this.must('release', version, '--image', image);
    await rm(context, { recursive: true });
    return image;
  }

  // More certificate authorities cost every Node.js process some milliseconds, and hosts with TLS have one of their own.
  #env(): NodeJS.ProcessEnv {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const keys = join(this.project, '..', `keys-${this.#app}`);
    return { ...env, XDG_RUNTIME_DIR: this.#folder, NO_COLOR: '1', LOCKAGE_ACTOR: 'bench', LOCKAGE_KEYS: keys };
  }

  async #write(file: string, content: unknown): Promise<void> {
    await writeFile(join(this.project, file), `${JSON.stringify(content, undefined, 2)}\n`);
  }
}

function placed(
  name: string,
  port: number,
  hosts: readonly PlaceHost[],
  more: Pick<Place, 'replicas' | 'machines'>,
): Place {
  return { name, port, hosts, doors: hosts.map(({ address }) => ({ address, port })), ...more };
}

function say(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error));
}

/** Ends the ssh connections that a command keeps open for the next one: they would outlive the hosts. */
async function endSshMasters(folder: string): Promise<void> {
  const sockets = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.ctl'));
  await Promise.all(
    sockets.map((name) => tryRun(['ssh', '-F', 'none', '-S', join(folder, name), '-O', 'exit', 'any'])),
  );
}

/** Returns bytes that no compression makes less. */
export function randomContent(bytes: number): Buffer {
  return randomBytes(bytes);
}
