import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { command, freePort } from './engine-fixture.ts';

/** A folder with a key pair to log in with. Its path is short: control sockets of ssh live in it. */
export class SshLab {
  readonly folder: string;
  readonly identity: string;
  readonly #servers: SshServer[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.identity = join(folder, 'id');
  }

  static async open(): Promise<SshLab> {
    const lab = new SshLab(await mkdtemp('/tmp/lt-'));
    await makeKey(lab.identity);
    return lab;
  }

  async server(options: readonly string[] = []): Promise<SshServer> {
    const folder = join(this.folder, `sshd${this.#servers.length}`);
    const server = new SshServer(folder, await freePort(), `${this.identity}.pub`, options);
    this.#servers.push(server);
    await server.newHostKey();
    await server.start();
    return server;
  }

  /** Returns the processes of the master connections that answer, when `XDG_RUNTIME_DIR` is this lab's folder. */
  async masterPids(): Promise<number[]> {
    const folder = join(this.folder, 'lockage');
    const controls = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.ctl'));
    const pids = controls.map(async (name) => {
      const asked = promisify(execFile)('ssh', ['-F', 'none', '-S', join(folder, name), '-O', 'check', 'any']);
      return Number(/pid=(\d+)/.exec((await asked.catch(() => ({ stderr: '' }))).stderr)?.[1] ?? 0);
    });
    return (await Promise.all(pids)).filter((pid) => pid > 0);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A real sshd on a port of its own, for the user who runs the test. */
export class SshServer {
  readonly port: number;
  fingerprint = '';
  readonly #folder: string;
  readonly #authorized: string;
  readonly #options: readonly string[];
  #process: ChildProcess | undefined;

  constructor(folder: string, port: number, authorized: string, options: readonly string[]) {
    this.#folder = folder;
    this.port = port;
    this.#authorized = authorized;
    this.#options = options;
  }

  get login(): string {
    return `${userInfo().username}@127.0.0.1:${this.port}`;
  }

  get url(): string {
    return `ssh://${this.login}`;
  }

  get #log(): string {
    return join(this.#folder, 'sshd.log');
  }

  async newHostKey(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const key = join(this.#folder, 'host_key');
    await rm(key, { force: true });
    await makeKey(key);
    this.fingerprint = (await command('ssh-keygen', '-lf', `${key}.pub`)).split(' ')[1] ?? '';
  }

  async start(): Promise<void> {
    await mkdir('/run/sshd', { recursive: true });
    const config = join(this.#folder, 'sshd_config');
    const lines = [
      `Port ${this.port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(this.#folder, 'host_key')}`,
      `AuthorizedKeysFile ${this.#authorized}`,
      'PidFile none',
      'UsePAM no',
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
    ];
    // Of this option the last one counts.
    if (!this.#options.some((option) => option.startsWith('MaxStartups'))) lines.push('MaxStartups 100');
    await writeFile(config, [...this.#options, ...lines, ''].join('\n'));
    const log = openSync(this.#log, 'a');
    this.#process = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', log] });
    closeSync(log);
    for (let tries = 0; tries < 100 && !(await listens(this.port)); tries++) await sleep(50);
  }

  /** Returns its log since it was made. */
  log(): Promise<string> {
    return readFile(this.#log, 'utf8');
  }

  /** Opens a connection that never logs in. */
  async connectIdle(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'data');
    return socket;
  }

  /** Ends the listener; existing connections live on. */
  async stop(): Promise<void> {
    const listener = this.#process;
    this.#process = undefined;
    if (!listener || listener.exitCode !== null) return;
    listener.kill('SIGTERM');
    await once(listener, 'exit');
  }
}

async function makeKey(file: string): Promise<void> {
  await command('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
