/**
 * A whole machine beside a lab's hosts: an LXC system container with systemd, its own packages and sshd, on the lab's
 * network and with the same access to packages as this machine. It is in the lab's folder and removed with the lab.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { logFile, lxcName, startLxc, stopLxc, unpackRoot, writeLxcConfig } from '../../infra/machines/lxc.ts';
import { openWayOut } from '../../infra/machines/network.ts';
import { run, type RunOptions } from '../tools/command.ts';
import { machineImage, machineUser } from './machine-image.ts';
import { identityFile, prepareHostKey } from './ssh.ts';
import { readState } from './state.ts';

const startTimeout = 60_000;
/** The first number of machines in the lab's network: its hosts have the lower ones. */
const firstNumber = 200;

export interface LabMachine {
  readonly name: string;
  readonly address: string;
  /** private key that logs in as root and as `user` */
  readonly identity: string;
  /** a user who may become root, or is root */
  readonly user: string;
  /** `SHA256:…` of its ssh host key */
  readonly hostKey: string;
  /** runs a program inside, as root */
  exec(argv: readonly string[], options?: RunOptions): Promise<string>;
  destroy(): Promise<void>;
}

/**
 * Starts a new machine on a lab's network and waits for its sshd. What was made before a failure is removed. `made`: the archive of
 * another root file system, in which root alone logs in.
 */
export async function createMachine(labFolder: string, name: string, made?: string): Promise<LabMachine> {
  const folder = path.resolve(labFolder);
  const state = await readState(folder);
  const { bridge, subnet } = state ?? {};
  if (state?.kind !== 'bare' || bridge === undefined || subnet === undefined) {
    throw new Error(`there is no lab of bare hosts in ${folder}`);
  }
  const home = path.join(machinesFolder(folder), name);
  const number = firstNumber + (await readdir(machinesFolder(folder)).catch(() => [])).length;
  const address = `${subnet}.${number}`;
  const archive = made ?? (await machineImage());
  const user = made === undefined ? machineUser : 'root';
  try {
    const root = await unpackRoot(home, archive);
    const hostKey = await prepareRoot(root, { folder, name, user });
    await openWayOut(bridge, subnet);
    await writeLxcConfig(home, { name, root, bridge, address, gateway: `${subnet}.1` });
    await startLxc(home);
    await untilListening(address, 22, logFile(home));
    return {
      name,
      address,
      identity: identityFile(folder),
      user,
      hostKey,
      exec: (argv, options) => run(['lxc-attach', ...lxcName(home), '--clear-env', '--', ...argv], options),
      destroy: () => removeMachine(home),
    };
  } catch (error) {
    await removeMachine(home);
    throw error;
  }
}

/** Removes all machines of a lab, also those that a killed creator left half made. */
export async function removeMachines(labFolder: string): Promise<void> {
  const names = await readdir(machinesFolder(labFolder)).catch(() => []);
  for (const name of names) await removeMachine(path.join(machinesFolder(labFolder), name));
}

async function removeMachine(home: string): Promise<void> {
  await stopLxc(home);
  // The kernel may release mounts a moment later, and hold a folder that long.
  await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}

function machinesFolder(labFolder: string): string {
  return path.join(labFolder, 'machines');
}

/** Sets up a new root file system with its name, keys, and this machine's access to packages. */
async function prepareRoot(
  root: string,
  { folder: labFolder, name, user }: { readonly folder: string; readonly name: string; readonly user: string },
): Promise<string> {
  const inRoot = (file: string) => path.join(root, file);
  await writeFile(inRoot('etc/hostname'), `${name}\n`);
  await writeFile(inRoot('etc/hosts'), `127.0.0.1 localhost ${name}\n::1 localhost\n`);
  await rm(inRoot('etc/resolv.conf'), { force: true });
  await cp('/etc/resolv.conf', inRoot('etc/resolv.conf'), { dereference: true });
  const publicKey = await readFile(`${identityFile(labFolder)}.pub`, 'utf8');
  await writeAuthorized(inRoot('root/.ssh'), publicKey);
  if (user !== 'root') {
    await writeAuthorized(inRoot(`home/${user}/.ssh`), publicKey);
    await run(['chroot', root, 'chown', '-R', user, `/home/${user}/.ssh`]);
  }
  await copyAptSettings(root);
  return prepareHostKey(inRoot('etc/ssh/ssh_host_ed25519_key'), name);
}

async function writeAuthorized(folder: string, publicKey: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(path.join(folder, 'authorized_keys'), publicKey, { mode: 0o600 });
}

/** Copies the sources of packages and how they are fetched, but not what this machine does after an installation. */
async function copyAptSettings(root: string): Promise<void> {
  const apt = path.join(root, 'etc/apt');
  await rm(path.join(apt, 'sources.list'), { force: true });
  for (const part of ['sources.list', 'sources.list.d', 'keyrings', 'trusted.gpg', 'trusted.gpg.d']) {
    const from = path.join('/etc/apt', part);
    if (existsSync(from)) await cp(from, path.join(apt, part), { recursive: true, dereference: true });
  }
  const settings = (await run(['apt-config', 'dump'])).split('\n').filter((line) => /^Acquire::\S+ ".+";$/.test(line));
  await writeFile(path.join(apt, 'apt.conf.d/90machine'), [...settings, ''].join('\n'));
  const authorities = 'etc/ssl/certs/ca-certificates.crt';
  if (existsSync(`/${authorities}`)) await cp(`/${authorities}`, path.join(root, authorities), { dereference: true });
}

async function untilListening(address: string, port: number, log: string): Promise<void> {
  const deadline = Date.now() + startTimeout;
  while (!(await listens(address, port))) {
    if (Date.now() > deadline) {
      const said = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join('; ');
      throw new Error(`nothing listens at ${address}:${port} after ${startTimeout / 1000} s: ${said}`);
    }
    await sleep(100);
  }
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const end = (found: boolean) => {
      socket.destroy();
      resolve(found);
    };
    socket.on('connect', () => end(true));
    socket.on('timeout', () => end(false));
    socket.on('error', () => end(false));
  });
}
