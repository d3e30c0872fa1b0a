/**
 * A computer that an operator works on: a host of a lab, with a loopback and a Docker Engine of its own, which nobody else
 * shares. Commands run in its network, and see that engine as the one of the current context.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NewerEngine } from '../../scripts/lab/engine-programs.ts';
import { createLab, type BareHost, type Lab, type LabEnvironment } from '../../scripts/lab/lab.ts';
import { baseImages, type BaseImage } from '../../scripts/setup/images/base-images.ts';
import { packageRoot } from '../../scripts/tools/cache.ts';
import { command } from './engine-fixture.ts';
import { endSshMasters, type CommandResult } from './pipeline-fixture.ts';

const program = process.env['LOCKAGE_TEST_CLI'] ?? join(packageRoot(), 'dist', 'lockage.mjs');
const timeout = 300_000;
const mostOutput = 64 * 1024 * 1024;

type Ran = Pick<CommandResult, 'code' | 'signal' | 'stdout' | 'stderr' | 'json'>;

export class Desk {
  readonly lab: Lab;
  readonly #base: string;

  private constructor(base: string, lab: Lab) {
    this.#base = base;
    this.lab = lab;
  }

  /** Makes a lab with a host `desk-1`, which is the operator's computer, and others; and base images in its registry. */
  static async open(
    others: Readonly<Record<string, LabEnvironment>>,
    { seed = ['edge'], engine }: { seed?: readonly BaseImage[]; engine?: NewerEngine } = {},
  ): Promise<Desk> {
    const base = await mkdtemp('/tmp/ld-');
    try {
      const own = { hosts: 1, reach: 'unix' as const, ...(engine === undefined ? {} : { engine }) };
      const environments = { desk: own, ...others };
      const name = `d${base.slice(-6).toLowerCase()}`;
      return new Desk(base, await createLab({ name, environments, dataDir: join(base, 'lab'), seed }));
    } catch (error) {
      await rm(base, { recursive: true, force: true });
      throw error;
    }
  }

  get #network(): string {
    return `--net=/run/netns/${this.lab.name}-desk-1`;
  }

  /** The command line, as words. */
  get program(): readonly string[] {
    return [process.execPath, program];
  }

  // A runtime folder of its own, so that the ssh connections end with the lab.
  get #variables() {
    const { dockerHost } = this.host;
    return { XDG_RUNTIME_DIR: this.#base, DOCKER_HOST: dockerHost, NO_COLOR: '1', LOCKAGE_ACTOR: 'anna' };
  }

  get host(): BareHost {
    return this.lab.host('desk-1');
  }

  /** Makes a folder with nothing but a Dockerfile and what it copies, in a git repository. */
  async folder(name: string): Promise<string> {
    const folder = join(this.#base, name);
    await mkdir(folder);
    const caddyfile =
      '{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n:8080 {\n\trespond `{env.LOCKAGE_VERSION} of ' +
      `${name}\`\n}\n`;
    const dockerfile = [
      `FROM ${this.lab.registry}/${baseImages.edge}`,
      'COPY Caddyfile /srv/',
      'USER 1000',
      'EXPOSE 8080',
      'CMD ["caddy", "run", "--config", "/srv/Caddyfile", "--adapter", "caddyfile"]',
    ];
    await writeFile(join(folder, 'Caddyfile'), caddyfile);
    await writeFile(join(folder, 'Dockerfile'), `${dockerfile.join('\n')}\n`);
    return folder;
  }

  async commit(folder: string, message: string): Promise<void> {
    const user = ['-c', 'user.name=t', '-c', 'user.email=t@example.com'];
    const git = (...words: string[]) => command('git', '-C', folder, ...user, ...words);
    await git('init', '--quiet');
    await git('add', '--all');
    await git('commit', '--quiet', '--allow-empty', '--message', message);
  }

  /** Runs the Docker CLI with this computer's engine. */
  docker(...words: string[]): Promise<string> {
    return command('docker', '-H', this.host.dockerHost, ...words);
  }

  /** Starts a command in a folder, on this computer; its output is the caller's to read. */
  start(folder: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    return spawn('nsenter', [this.#network, ...argv], {
      cwd: folder,
      env: { ...process.env, ...this.#variables, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Runs a command in a folder, on this computer. */
  async run(folder: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const argv = [this.#network, process.execPath, program, ...words];
    const options = {
      cwd: folder,
      env: { ...process.env, ...this.#variables, ...env },
      timeout,
      maxBuffer: mostOutput,
    };
    const ended = await promisify(execFile)('nsenter', argv, options).then(
      ({ stdout, stderr }) => ({ code: 0, signal: null, stdout, stderr }),
      (error: { code: number | null; signal: string | null; stdout: string; stderr: string }) => error,
    );
    const { code, signal, stdout, stderr } = ended;
    return { code, signal, stdout, stderr, json: parsed(stdout) };
  }

  /** Listens at a port of this computer's loopback. */
  async listen(port: number): Promise<ChildProcess> {
    const script = `require('node:net').createServer().listen(${port}, '127.0.0.1', () => console.log('listening'))`;
    const child = spawn('nsenter', [this.#network, process.execPath, '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    return child;
  }

  /** Runs a command that must end with 0, with `--json`. */
  async succeed(folder: string, ...words: string[]): Promise<any> {
    const { code, signal, stderr, json } = await this.run(folder, [...words, '--json']);
    if (code === 0) return json;
    throw new Error(`lockage ${words.join(' ')} ended with ${code ?? signal}:\n${stderr}`);
  }

  async remove(): Promise<void> {
    await endSshMasters(join(this.#base, 'lockage'));
    await this.lab.remove();
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
