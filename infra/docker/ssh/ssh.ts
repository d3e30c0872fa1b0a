import { createHash } from 'node:crypto';
import { access, constants, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { LockageError } from '../../../pipelines/errors.ts';
import { settingsOf } from '../../../pipelines/model/endpoint.ts';
import type { SshHost } from '../../../pipelines/model/target.ts';
import { withFileLock } from '../../system/file-lock.ts';
import type { Ended } from '../../system/process.ts';
import { runtimeFolder } from '../../system/runtime-folder.ts';
import { userHostPort } from '../address.ts';
import { Engine } from '../api/client.ts';
import { controlArguments, shellWord, sshArguments, type SshCall } from './arguments.ts';
import { sshFailure } from './errors.ts';
import { isKeyRefusal, type HostKeys } from './host-keys.ts';
import { plainFiles } from './plain-path.ts';
import { retryDropped } from './retry.ts';
import {
  deadReverseForwards,
  listenAt,
  reverseForwardArguments,
  reverseForwardSocket,
  type ReverseForward,
} from './reverse-forward.ts';
import { runSsh } from './run.ts';

/** Seconds that an unused master connection stays, so that the next command need not log in again. */
const persist = 600;
const commandDeadline = 10_000;
const loginDeadline = 40_000;
const pingDeadline = 5_000;

/**
 * A local socket of a remote engine, over ssh: one master connection per host, shared by all commands of this user,
 * forwards it. The socket's path is the same for the same host, so it can be written down.
 */
export class SshLink {
  readonly #host: SshHost;
  readonly #keys: HostKeys;
  /** the host, and the file of host keys, by paths that ssh can be given */
  #plain: SshCall | undefined;

  constructor(host: SshHost, keys: HostKeys) {
    this.#host = host;
    this.#keys = keys;
  }

  /**
   * Returns the path of a local socket at which the engine has just answered. Throws HostKeyUnknownError,
   * HostKeyChangedError, or a LockageError that says which step fails.
   */
  async open(): Promise<string> {
    const { socket, control } = await this.#paths();
    await this.#keys.ensure(this.#host);
    if (await this.#answers(socket)) return socket;
    const asked = performance.now();
    return withFileLock(`${control}.lock`, 2 * loginDeadline, async () => {
      // Another command may have connected meanwhile; otherwise asking a lost host again would only cost time.
      if (performance.now() - asked > 100 && (await this.#answers(socket))) return socket;
      const reused = await this.#login(control);
      await this.#forward(control, socket);
      if (await this.#answers(socket)) return socket;
      if (reused) {
        // A master can outlive its network for a while, and has the rights and settings of its login. Another command may
        // still be using it, so it only stops taking new connections, and ends when the open ones have ended.
        await this.#control(control, 'stop');
        await this.#login(control);
        await this.#forward(control, socket);
        if (await this.#answers(socket)) return socket;
      }
      throw await this.#diagnose(control);
    });
  }

  /**
   * Runs a POSIX shell script on the machine itself, with values as its arguments, within `deadline` milliseconds. Any
   * exit code is a result. Throws as `open` does when the machine cannot be reached.
   */
  async script(
    text: string,
    values: readonly string[],
    options: { readonly deadline: number; readonly sudo?: boolean },
  ): Promise<Ended> {
    const { control } = await this.#paths();
    await this.#keys.ensure(this.#host);
    await withFileLock(`${control}.lock`, 2 * loginDeadline, () => this.#login(control));
    const words = [...(options.sudo ? ['sudo', '-n'] : []), 'sh', '-s', '--', ...values];
    const argv = ['-S', control, ...this.#controlArguments(), words.map(shellWord).join(' ')];
    return this.#ssh(argv, options.deadline, text);
  }

  /**
   * Opens a port on the machine's own loopback for a server of this process. Forwards that killed processes left are
   * closed first. Throws as `open` does, and LockageError when its sshd forbids it.
   */
  async reverseForward(server: Server): Promise<ReverseForward> {
    const { control } = await this.#paths();
    await this.#keys.ensure(this.#host);
    const socket = reverseForwardSocket(control);
    await listenAt(server, socket);
    const end = async () => {
      await this.#control(control, 'cancel', reverseForwardArguments(socket)).catch(() => undefined);
      server.close();
    };
    try {
      return {
        port: await withFileLock(`${control}.lock`, 2 * loginDeadline, () => this.#openForward(control, socket)),
        end,
      };
    } catch (error) {
      await end();
      throw error;
    }
  }

  async #openForward(control: string, socket: string): Promise<number> {
    await this.#login(control);
    for (const dead of await deadReverseForwards(control)) {
      await this.#control(control, 'cancel', reverseForwardArguments(dead));
      await rm(dead, { force: true });
    }
    const { stdout, stderr } = await this.#control(control, 'forward', reverseForwardArguments(socket));
    const port = Number(stdout.trim());
    if (port > 0) return port;
    throw new LockageError(`${this.#host.name}: its sshd opens no port for what is offered over ssh`, {
      details: stderr.split(/\r?\n/).filter((line) => line.trim() !== ''),
      hint: 'Allow it in sshd_config there: AllowTcpForwarding yes (or remote), and no PermitListen that forbids it.',
    });
  }

  /** Ends the master connection, for all processes of this user. */
  async disconnect(): Promise<void> {
    const { socket, control } = await this.#paths();
    await this.#control(control, 'exit');
    await rm(socket, { force: true });
  }

  async #paths(): Promise<{ socket: string; control: string }> {
    this.#plain ??= await plainFiles(this.#host, this.#keys.file);
    const { url, jump, identity, hostKey, sshConfig } = settingsOf(this.#host.endpoint);
    const identified = JSON.stringify([url, jump, identity, hostKey, this.#keys.file, sshConfig]);
    const hash = createHash('sha256').update(identified).digest('hex').slice(0, 16);
    const folder = await runtimeFolder();
    return { socket: join(folder, `${hash}.sock`), control: join(folder, `${hash}.ctl`) };
  }

  async #answers(socketPath: string): Promise<boolean> {
    const engine = new Engine({ host: this.#host.name, socketPath });
    try {
      await engine.ping({ deadline: pingDeadline });
      return true;
    } catch {
      return false;
    } finally {
      engine.close();
    }
  }

  /** Opens the master connection unless it is there; returns whether it was. */
  async #login(control: string): Promise<boolean> {
    if ((await this.#control(control, 'check')).code === 0) return true;
    await rm(control, { force: true });
    await this.#checkFiles();
    const master = [
      '-M',
      '-S',
      control,
      '-f',
      '-N',
      '-o',
      `ControlPersist=${persist}`,
      '-o',
      'StreamLocalBindUnlink=yes',
    ];
    let loggedIn = false;
    const { stderr, late } = await retryDropped(async () => {
      const login = await this.#ssh([...master, ...this.#arguments()], loginDeadline);
      loggedIn = login.code === 0;
      // a master hides what the ssh to the machine in between said
      if (loggedIn || (!this.#host.endpoint.jump && this.#host.endpoint.config === undefined)) return login;
      return this.#ssh([...this.#arguments(), 'true'], loginDeadline);
    });
    if (loggedIn) return false;
    if (isKeyRefusal(stderr)) throw await this.#keys.changed(this.#host);
    throw sshFailure(this.#host, this.#host.endpoint, stderr, late);
  }

  async #forward(control: string, socket: string): Promise<void> {
    const forwarding = ['-L', `${socket}:${this.#host.endpoint.socket}`];
    // a master does not bind again what it believes to have bound
    await this.#control(control, 'cancel', forwarding);
    await rm(socket, { force: true });
    const { code, stderr, late } = await this.#control(control, 'forward', forwarding);
    if (code !== 0) throw sshFailure(this.#host, this.#host.endpoint, stderr, late);
  }

  #control(control: string, command: 'check' | 'forward' | 'cancel' | 'stop' | 'exit', extra: readonly string[] = []) {
    return this.#ssh(['-S', control, '-O', command, ...extra, ...this.#controlArguments()], commandDeadline);
  }

  #ssh(argv: readonly string[], deadline: number, stdin = ''): Promise<Ended> {
    return runSsh(argv, deadline, { stdin, called: `ssh to ${this.#host.name}` });
  }

  #arguments(): string[] {
    return sshArguments(this.#call());
  }

  #controlArguments(): string[] {
    return controlArguments(this.#call());
  }

  #call(): SshCall {
    return this.#plain ?? { host: this.#host, knownHosts: this.#keys.file };
  }

  async #checkFiles(): Promise<void> {
    const { name, endpoint } = this.#host;
    const { identity, config } = endpoint;
    const files = [
      ...(identity === undefined ? [] : [['private key', identity] as const]),
      ...(typeof config === 'string' ? [['ssh_config', config] as const] : []),
    ];
    for (const [what, file] of files) {
      await access(file, constants.R_OK).catch((cause: unknown) => {
        throw new LockageError(`${name}: the ${what} ${file} cannot be read`, { cause });
      });
    }
  }

  /** Returns the error that explains why the forwarded socket is silent, as seen from the host itself. */
  async #diagnose(control: string): Promise<LockageError> {
    const { name } = this.#host;
    const { socket: path, user } = this.#host.endpoint;
    // the path's characters were checked, so it is one word of the remote shell
    const look = `if [ ! -e ${path} ]; then echo absent; elif [ ! -w ${path} ]; then echo denied; else echo silent; fi`;
    // The login shell may be one with another syntax, such as fish.
    const asked = ['-S', control, ...this.#controlArguments(), `sh -c ${shellWord(look)}`];
    const { stdout } = await this.#ssh(asked, commandDeadline);
    const at = userHostPort(this.#host.endpoint);
    if (stdout.trim() === 'absent') {
      return new LockageError(`${name}: there is no ${path} on ${at}`, {
        hint: 'Start Docker there, or name its socket in the url: `ssh://user@host:port/path/docker.sock`.',
      });
    }
    if (stdout.trim() === 'denied') {
      const login = user ?? 'the user';
      return new LockageError(`${name}: ${login} may not use ${path} on ${at}`, {
        hint: `Add ${login} to the group "docker" there, and leave the mode of the socket as it is.`,
      });
    }
    return new LockageError(`${name}: no Docker Engine answers at ${path} on ${at}`, {
      hint: 'Check that Docker runs there, and that its sshd allows AllowStreamLocalForwarding and AllowTcpForwarding.',
    });
  }
}
