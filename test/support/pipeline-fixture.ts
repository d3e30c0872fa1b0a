/**
 * A project on a lab of its own, driven as a user does: the built command line as a child process. What it left behind
 * is read from the engines themselves, not through Lockage.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Engine } from '../../infra/docker/api/client.ts';
import { fingerprint } from '../../pipelines/model/fingerprint.ts';
import { createLab, type BareHost, type Lab, type LabEnvironment, type LabHost } from '../../scripts/lab/lab.ts';
import type { BaseImage } from '../../scripts/setup/images/base-images.ts';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { command } from './engine-fixture.ts';

/** The condition of every test of a pipeline: it needs bare hosts, which only root on Linux can make. */
export const labsWork = process.platform === 'linux' && process.getuid?.() === 0;

/** Milliseconds for a lab and its first release, also on a machine that is busy with other things. */
export const setupTime = 360_000;

const root = packageRoot();
const program = process.env['LOCKAGE_TEST_CLI'] ?? join(root, 'dist', 'lockage.mjs');
/** Milliseconds for a command, also for an image that is built on a busy machine. */
const longestCommand = 600_000;

export interface CommandResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** milliseconds */
  readonly took: number;
  /** the JSON document on stdout */
  readonly json: any;
}

export interface RunningCommand {
  readonly pid: number;
  readonly ended: Promise<CommandResult>;
  /** resolves when stderr has shown it; throws when the command ended without it */
  saw(text: string | RegExp): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

/** The ways in which an image misbehaves: see test-app/web.mjs. */
export interface Behaviour {
  readonly unhealthy?: boolean;
  readonly unhealthyOn?: string;
  readonly healthyIn?: string;
  readonly crashAfterMs?: number;
  readonly crashAfterVisitMs?: number;
  readonly crashIn?: string;
  readonly ignoreTerm?: boolean;
  readonly migrationFails?: boolean;
  readonly echoSecrets?: boolean;
}

/** The kind of service: one in Node.js, or a smaller one on the edge's image, which knows fewer ways to misbehave. */
type TestApp = 'test-app' | 'small-app';

export interface PipelineOptions {
  readonly environments: Readonly<Record<string, LabEnvironment>>;
  readonly seed?: readonly BaseImage[];
  /** what is released: `test-app` by default */
  readonly app?: TestApp;
  /** the hosts have the layers of the base images from the start: true by default */
  readonly layers?: boolean;
}

type Settings = Record<string, unknown>;

/** The objects on an environment's hosts, by host: everything, whoever made it. */
export type Snapshot = Readonly<
  Record<string, { readonly containers: string[]; readonly networks: string[]; readonly volumes: string[] }>
>;

export class TestProject {
  readonly lab: Lab;
  /** the project's folder */
  readonly folder: string;
  /** environment of every command */
  readonly env: Record<string, string>;
  readonly #base: string;
  readonly #app: TestApp;
  readonly #engines = new Map<string, Engine>();
  readonly #running = new Set<ChildProcess>();
  #settings: Settings;

  private constructor(base: string, lab: Lab, app: TestApp) {
    this.#base = base;
    this.#app = app;
    this.lab = lab;
    this.folder = join(base, 'project');
    // A runtime folder of its own, so that the ssh connections end with the lab.
    this.env = { XDG_RUNTIME_DIR: base, DOCKER_HOST: lab.builder.dockerHost, NO_COLOR: '1', LOCKAGE_ACTOR: 'tester' };
    this.#settings = {
      app: 'trial',
      repository: `${lab.registry}/trial`,
      insecureRegistries: [lab.registry],
      build: { context: 'app', args: { BASE: `${lab.registry}/lockage-base/node` } },
      edge: { image: `${lab.registry}/lockage-base/edge` },
      pipeline: [...new Set(lab.hosts.map(({ environment }) => environment))],
      roles: { web: { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, stop: '4s' } },
      watch: '1s',
    };
  }

  /** Makes the lab and the project; `settings` are laid over its lockage.yaml. */
  static async open(options: PipelineOptions, settings: Settings = {}): Promise<TestProject> {
    const base = await mkdtemp('/tmp/lp-');
    try {
      const { environments, app = 'test-app', layers = true } = options;
      const { seed = app === 'test-app' ? ['edge', 'node'] : ['edge'] } = options;
      const name = `p${base.slice(-6).toLowerCase()}`;
      const lab = await createLab({ name, environments, dataDir: join(base, 'lab'), seed, layers });
      const project = new TestProject(base, lab, app);
      await project.#writeProject(settings);
      return project;
    } catch (error) {
      await rm(base, { recursive: true, force: true });
      throw error;
    }
  }

  async #writeProject(settings: Settings): Promise<void> {
    await mkdir(join(this.folder, 'environments'), { recursive: true });
    await cp(join(root, 'test/support', this.#app), join(this.folder, 'app'), { recursive: true });
    await writeFile(join(this.folder, 'app/behaviour.json'), '{"version":"git"}\n');
    await writeFile(join(this.folder, '.gitignore'), '.lockage/\n');
    await this.configure(settings);
    for (const environment of new Set(this.lab.hosts.map((host) => host.environment))) {
      await this.configureEnvironment(environment, {});
    }
  }

  /** Lays settings over those of lockage.yaml (which takes JSON as it is). */
  async configure(settings: Settings): Promise<void> {
    this.#settings = { ...this.#settings, ...settings };
    await writeFile(join(this.folder, 'lockage.yaml'), `${JSON.stringify(this.#settings, undefined, 2)}\n`);
  }

  async configureEnvironment(environment: string, settings: Settings): Promise<void> {
    await this.configureOn(environment, this.edges(environment), settings);
  }

  /** Configures an environment on hosts that may be those of another one, too. */
  async configureOn(environment: string, edges: readonly LabHost[], settings: Settings): Promise<void> {
    const written = edges.map(({ name, url, address, identity, hostKey, tls }) => ({
      ...{ name, url, address },
      ...(identity === undefined ? {} : { identity, hostKey }),
      ...(tls === undefined ? {} : { tls }),
    }));
    const targets = edges[0]?.node === undefined ? written : { kind: 'swarm', managers: written };
    await this.#writeEnvironment(environment, { targets, ...settings });
  }

  /** Configures machines that the environment makes itself, so that the lab has none of its hosts. */
  async configureMachines(environment: string, machines: Settings, settings: Settings = {}): Promise<void> {
    await this.#writeEnvironment(environment, { targets: { memory: '512MiB', cpus: 1, ...machines }, ...settings });
  }

  async #writeEnvironment(environment: string, content: Settings): Promise<void> {
    const file = join(this.folder, 'environments', `${environment}.yaml`);
    await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
  }

  hosts(environment: string): BareHost[] {
    return this.lab.hosts.filter((host) => host.environment === environment);
  }

  /** Returns the hosts with an edge proxy: all, or the managers of a swarm. */
  edges(environment: string): BareHost[] {
    return this.hosts(environment).filter(({ node }) => node !== 'worker');
  }

  urls(environment: string): string[] {
    return this.edges(environment).map(({ address }) => `http://${address}:8000/`);
  }

  /** Returns the network device of an environment's own machines: others on this computer may have the same name. */
  bridge(environment: string): string {
    const folder = join(this.folder, '.lockage/machines');
    return `lk${fingerprint({ app: 'trial', environment, folder })}`;
  }

  /** Returns a host's engine, reached without Lockage. */
  engine(host: string): Engine {
    const found = this.#engines.get(host);
    if (found) return found;
    const socketPath = this.lab.host(host).dockerHost.replace('unix://', '');
    const engine = new Engine({ host, socketPath });
    this.#engines.set(host, engine);
    return engine;
  }

  /** Builds an image for each version, as somebody else's builder would, and records the releases in that order. */
  async publish(versions: Readonly<Record<string, Behaviour>>): Promise<void> {
    await Promise.all(Object.entries(versions).map(([version, behaviour]) => this.build(version, behaviour)));
    for (const version of Object.keys(versions)) {
      const image = `${this.lab.registry}/trial:build-${version}`;
      await this.succeed('release', version, '--image', image);
    }
  }

  /** Builds and pushes `trial:build-VERSION`, with that many bytes that no compression makes less. */
  async build(version: string, behaviour: Behaviour = {}, ballast = 0): Promise<string> {
    const context = await mkdtemp(join(this.#base, 'build-'));
    const image = `${this.lab.registry}/trial:build-${version}`;
    await cp(join(root, 'test/support', this.#app), context, { recursive: true });
    await writeFile(join(context, 'behaviour.json'), JSON.stringify({ version, ...behaviour }));
    if (ballast > 0) await writeFile(join(context, 'ballast'), randomBytes(ballast));
    const base = `BASE=${this.lab.registry}/lockage-base/${this.#app === 'test-app' ? 'node' : 'edge'}`;
    const healthyIn = `HEALTHY_IN=${behaviour.unhealthy ? 'no environment' : (behaviour.healthyIn ?? '')}`;
    const given = ['--build-arg', base, ...(this.#app === 'small-app' ? ['--build-arg', healthyIn] : [])];
    await this.docker('build', '--quiet', ...given, '--tag', image, context);
    await this.docker('push', '--quiet', image);
    return image;
  }

  /** Runs the Docker CLI on the builder. */
  docker(...words: string[]): Promise<string> {
    return command('docker', '-H', this.lab.builder.dockerHost, ...words);
  }

  start(
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
    timeout = longestCommand,
    cwd = this.folder,
  ): RunningCommand {
    return this.#start([process.execPath, program, ...words], env, { timeout, cwd });
  }

  /** The same as in a container of this computer's name, from which no process of this computer is seen. */
  startApart(words: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCommand {
    const apart = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const options = { timeout: longestCommand, cwd: this.folder };
    return this.#start([...apart, process.execPath, program, ...words], env, options);
  }

  #start(
    [first = '', ...rest]: readonly string[],
    env: Readonly<Record<string, string>>,
    { timeout, cwd }: { readonly timeout: number; readonly cwd: string },
  ): RunningCommand {
    const started = performance.now();
    const child = spawn(first, rest, {
      cwd,
      env: { ...process.env, ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      killSignal: 'SIGKILL',
    });
    this.#running.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<CommandResult>((done) => {
      child.on('exit', () => this.#running.delete(child));
      child.on('close', (code, signal) => {
        const took = performance.now() - started;
        done({ code, signal, stdout, stderr, took, json: parsed(stdout) });
      });
    });
    return {
      pid: child.pid ?? 0,
      ended,
      saw: async (text) => {
        for (;;) {
          if (typeof text === 'string' ? stderr.includes(text) : text.test(stderr)) return;
          if (child.exitCode !== null || child.signalCode !== null)
            throw new Error(`${text} was not shown:\n${stderr}`);
          await sleep(10);
        }
      },
      kill: (signal) => void child.kill(signal),
    };
  }

  run(...words: string[]): Promise<CommandResult> {
    return this.start(words).ended;
  }

  /** Runs a command that must end with 0; with `--json` and, where it is accepted, `--yes`. */
  async succeed(...words: string[]): Promise<CommandResult> {
    const result = await this.run(
      ...words,
      '--json',
      ...(/^(promote|rollback|scale|destroy|adopt|vm-image promote)\b/.test(words.join(' ')) ? ['--yes'] : []),
    );
    if (result.code === 0) return result;
    throw new Error(`lockage ${words.join(' ')} ended with ${result.code ?? result.signal}:\n${result.stderr}`);
  }

  /** Runs a command that is killed at a given point, as if its computer lost power there. */
  async killedAt(point: string, ...words: string[]): Promise<void> {
    const { signal, stderr } = await this.start(words, { LOCKAGE_FAILPOINT: point }).ended;
    if (signal !== 'SIGKILL') throw new Error(`lockage ${words.join(' ')} did not come to ${point}:\n${stderr}`);
  }

  promote(version: string, environment: string, ...more: string[]): Promise<CommandResult> {
    return this.run('promote', version, '--to', environment, '--yes', '--json', ...more);
  }

  rollback(environment: string, ...more: string[]): Promise<CommandResult> {
    return this.run('rollback', environment, '--yes', '--json', ...more);
  }

  /** Returns what every host of an environment answers, or those at these urls. */
  async answers(
    environment: string,
    urls = this.urls(environment),
  ): Promise<{ version: string; greeting: string; secretHash: string; built: string }[]> {
    const options = { signal: AbortSignal.timeout(10_000), headers: { connection: 'close' } };
    return Promise.all(urls.map(async (url) => (await fetch(url, options)).json() as never));
  }

  async versions(environment: string, urls?: string[]): Promise<string[]> {
    return (await this.answers(environment, urls)).map(({ version }) => version);
  }

  /** Returns the release containers of an environment: `prod-1 1.1.0 running`, sorted. */
  async releaseContainers(environment: string): Promise<string[]> {
    const lists = await Promise.all(
      this.hosts(environment).map(async ({ name }) => {
        const labels = { 'lockage.environment': environment, 'lockage.part': 'release' };
        const found = await this.engine(name).listContainers({ all: true, labels });
        return found.map(({ Labels, State }) => `${name} ${Labels['lockage.release']} ${State}`);
      }),
    );
    return lists.flat().sort();
  }

  /** Returns container ids by host and version: `prod-1 1.1.0` → id. */
  async containerIds(environment: string): Promise<Record<string, string>> {
    const ids: Record<string, string> = {};
    for (const { name } of this.hosts(environment)) {
      const labels = { 'lockage.environment': environment, 'lockage.part': 'release' };
      for (const { Id, Labels } of await this.engine(name).listContainers({ all: true, labels })) {
        ids[`${name} ${Labels['lockage.release']}`] = Id;
      }
    }
    return ids;
  }

  /** Returns everything on an environment's hosts, to compare with what is there later. */
  async snapshot(environment: string): Promise<Snapshot> {
    const hosts = await Promise.all(
      this.hosts(environment).map(async ({ name }) => {
        const engine = this.engine(name);
        const [containers, networks, volumes] = await Promise.all([
          engine.listContainers({ all: true }),
          engine.listNetworks({}),
          engine.listVolumes({}),
        ]);
        const seen = {
          containers: containers.map(({ Id, Names, State }) => `${Names[0]} ${Id.slice(0, 12)} ${State}`).sort(),
          networks: networks.sort(),
          volumes: volumes.map(({ Name }) => Name).sort(),
        };
        return [name, seen] as const;
      }),
    );
    return Object.fromEntries(hosts);
  }

  /** Waits until no process but these works in the project's folder any more; returns those that still do after the time. */
  async leftProcesses(timeout = 20_000, besides?: RegExp): Promise<string[]> {
    const end = Date.now() + timeout;
    for (;;) {
      const found = (await processesIn(this.folder)).filter((line) => !besides?.test(line));
      if (found.length === 0 || Date.now() > end) return found;
      await sleep(100);
    }
  }

  async remove(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    await endSshMasters(join(this.#base, 'lockage'));
    for (const engine of this.#engines.values()) engine.close();
    await this.lab.remove();
    await this.leftProcesses();
    await rm(this.#base, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined;
  }
}

async function processesIn(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const at = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (at !== folder && !at.startsWith(`${folder}/`)) return [];
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return [`${pid} ${words.replaceAll('\0', ' ').trim()}`];
    }),
  );
  return found.flat();
}

export async function endSshMasters(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.ctl')) continue;
    await command('ssh', '-F', 'none', '-S', join(folder, name), '-O', 'exit', 'any').catch(() => undefined);
  }
}
