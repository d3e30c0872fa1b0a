/** The HAProxy process of a load balancer, found by its configuration file, which no other process is started with. */
import { readdir, readFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockageError } from '../../../pipelines/errors.ts';
import { runDaemon, tryRunProgram } from '../../system/run-program.ts';
import { adminSocket } from './haproxy-config.ts';

/** Returns the configuration file in a load balancer's folder. */
export function configFile(home: string): string {
  return path.join(home, 'haproxy.cfg');
}

/**
 * Starts the process with the configuration in the folder. Where one already serves, its listening sockets are taken
 * over and it ends once its last request is answered. Throws LockageError when it cannot listen.
 */
export async function startProcess(home: string, serving?: number): Promise<void> {
  const takeOver = serving === undefined ? [] : ['-x', adminSocket, '-sf', String(serving)];
  await runDaemon(['haproxy', '-D', '-C', home, '-f', configFile(home), ...takeOver]);
}

/** Milliseconds for the kernel to close the sockets of a killed process, which is out of sight before that. */
const closeTimeout = 2000;

/** Throws LockageError when somebody else listens at one of the ports, or the address is not of this computer. */
export async function refuseTaken(address: string, ports: readonly number[]): Promise<void> {
  for (const end = performance.now() + closeTimeout; ; await sleep(50)) {
    const taken = await takenOf(address, ports);
    if (taken.length === 0) return;
    const holders = (await Promise.all(taken.map((port) => holderOf(address, port)))).flat();
    const isNamed = holders.some((holder) => holder.includes('(process '));
    if (!isNamed && performance.now() < end) continue;
    throw new LockageError(`${taken.map((port) => `${address}:${port}`).join(', ')}: taken by somebody else`, {
      details: holders,
      hint: 'Stop what listens there, publish another port, or give the environment an `address` of its own.',
    });
  }
}

async function takenOf(address: string, ports: readonly number[]): Promise<number[]> {
  const problems = await Promise.all(ports.map(async (port) => ({ port, code: await tryToListen(address, port) })));
  if (problems.some(({ code }) => code === 'EADDRNOTAVAIL')) {
    throw new LockageError(`${address} is no address of this computer`, {
      hint: '`ip address` shows those that it has; without `address` in `targets` the environment takes one of its own.',
    });
  }
  return problems.filter(({ code }) => code === 'EADDRINUSE').map(({ port }) => port);
}

/** Returns the process ids of a load balancer, including those that only finish their last requests. */
export async function processesOf(home: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const own = await Promise.all(pids.map(async (pid) => isOf(home, await commandOf(pid))));
  return pids.filter((_, index) => own[index]).map(Number);
}

/** Ends all processes of a load balancer, with their requests under way. */
export async function endProcesses(home: string): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of await processesOf(home)) send(pid, signal);
    for (const end = performance.now() + 5000; performance.now() < end; await sleep(20)) {
      if ((await processesOf(home)).length === 0) return;
    }
  }
  throw new LockageError(`the processes of the load balancer in ${home} do not end`);
}

/** Returns whether something accepts connections there. */
export function accepts(host: string, port: number, timeout = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeout, () => end(false));
    socket.on('connect', () => end(true)).on('error', () => end(false));
  });
}

async function commandOf(pid: string): Promise<string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
}

function isOf(home: string, [file = '', ...args]: readonly string[]): boolean {
  return path.basename(file) === 'haproxy' && args.includes(configFile(home));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Returns what keeps this process from listening there, as the code of the error. */
function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Returns who listens at a port there or at all addresses, as `0.0.0.0:8000 is nginx's (process 4711)`. */
async function holderOf(address: string, port: number): Promise<string[]> {
  const shown = (await tryRunProgram(['ss', '-H', '-ltnp', `sport = :${port}`])) ?? '';
  return shown.split('\n').flatMap((line) => {
    const local = line.trim().split(/\s+/)[3] ?? '';
    if (!['0.0.0.0', '*', '[::]', address].some((name) => local === `${name}:${port}`)) return [];
    const [, name, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(line) ?? [];
    return [name === undefined ? `${local} is somebody's` : `${local} is ${name}'s (process ${pid})`];
  });
}
