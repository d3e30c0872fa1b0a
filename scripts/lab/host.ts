/**
 * A bare host without a machine of its own: a network, mount, host name and process namespace with its own `/run`,
 * its own Docker Engine at `/var/run/docker.sock` and, if wanted, an ssh server or a port with TLS. Its first process keeps it
 * alive; when that one is killed, the kernel ends everything inside.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDetached } from '../../infra/system/process.ts';
import { run, type RunOptions } from '../tools/command.ts';
import { programsOf } from './engine-programs.ts';
import { prepareSshServer, sshConfig } from './ssh.ts';
import { isRunning, markProcess, type HostState, type StateFile } from './state.ts';
import { createServerCertificate, tlsArguments } from './tls.ts';

const startTimeout = 60_000;
/** Whose further ids the users of containers get on a host that remaps them, and a way to its data that is open to those. */
const remapped = { user: 'nobody', group: 'nogroup', dataRoot: '/var/lib/docker' };

/** Returns the socket by which the machine reaches a host's engine without a network. */
export function hostSocket(dataDir: string, name: string): string {
  return path.join(dataDir, `${name}.sock`);
}

/** Starts the namespaces, the engine and the ssh server of a host whose network is in place. */
export async function startHost(file: StateFile, name: string): Promise<void> {
  const host = hostState(file, name);
  const folder = path.join(file.dataDir, 'hosts', name);
  await mkdir(dataRoot(file.dataDir, name), { recursive: true });
  const ssh = host.reach === 'ssh' ? await prepareSshServer(file.dataDir, host) : undefined;
  if (host.reach === 'tls') await createServerCertificate(file.dataDir, host);
  await startKeeper(file, host, folder, ssh !== undefined);
  const engine = startEngine(file, name);
  if (ssh) {
    await startSsh(file, name);
    await file.updateHost(name, { hostKey: ssh.fingerprint, knownHost: ssh.knownHost });
  }
  await engine;
}

async function startSsh(file: StateFile, name: string): Promise<void> {
  const folder = path.join(file.dataDir, 'hosts', name);
  const server = ['sh', '-c', '/usr/sbin/sshd -f "$1" -E "$2"', 'sh', sshConfig(folder), path.join(folder, 'sshd.log')];
  await execInHost(file, name, server, { timeout: 20_000 });
}

/** Runs a program inside a host and returns its stdout. */
export async function execInHost(
  file: StateFile,
  name: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { inner } = hostState(file, name);
  if (inner === undefined) throw new Error(`host ${name} is not running`);
  return run([...enter(inner), ...argv], { ...options, env: { DOCKER_HOST: '', ...options.env } });
}

/** Starts a host's engine and waits until it answers. */
export async function startEngine(file: StateFile, name: string): Promise<void> {
  const host = hostState(file, name);
  const { dockerd: program, env } = programsOf(host.engine, host.oldestApi);
  const dockerd = [
    program,
    ...['--data-root', host.remapsUsers ? remapped.dataRoot : dataRoot(file.dataDir, name)],
    ...['--host', 'unix:///var/run/docker.sock'],
    ...['--host', `unix://${hostSocket(file.dataDir, name)}`],
    ...['--insecure-registry', file.state.registry],
    ...(host.reach === 'tls' ? tlsArguments(file.dataDir, host) : []),
    ...(host.remapsUsers ? ['--userns-remap', `${remapped.user}:${remapped.group}`] : []),
    // Its own tree of control groups, so that it can be found when the lab is removed.
    ...['--cgroup-parent', `/${host.namespace}`],
  ];
  const log = path.join(file.dataDir, 'hosts', name, 'docker.log');
  const background = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 & echo $!';
  const pid = (await execInHost(file, name, ['sh', '-c', background, 'sh', log, ...dockerd], { env })).trim();
  const deadline = Date.now() + startTimeout;
  while (!(await pings(hostSocket(file.dataDir, name)))) {
    if (Date.now() > deadline || !isInside(file, name, pid)) {
      throw new Error(`the engine of ${name} did not start: ${await lastLines(log)}`);
    }
    await sleep(50);
  }
}

/** Stops a host's engine and its containers; with `crash` only the engine is killed, as by the kernel. */
export async function stopEngine(file: StateFile, name: string, crash = false): Promise<void> {
  const { inner } = hostState(file, name);
  const pid = (await readFile(`/proc/${inner}/root/run/docker.pid`, 'utf8').catch(() => '')).trim();
  if (pid === '' || !isInside(file, name, pid)) return;
  await execInHost(file, name, ['kill', crash ? '-KILL' : '-TERM', pid]);
  const deadline = Date.now() + 60_000;
  while (isInside(file, name, pid)) {
    if (Date.now() > deadline) throw new Error(`the engine of ${name} did not stop within 60 s`);
    await sleep(50);
  }
}

/** Starts what a machine starts when its power is back: the engine, and the ssh server if it has one. */
export async function restorePower(file: StateFile, name: string): Promise<void> {
  if (hostState(file, name).reach === 'ssh') await startSsh(file, name);
  await startEngine(file, name);
}

/** Takes the power from a host: every process inside is killed, and what was in memory is gone, until `restorePower`. */
export async function cutPower(file: StateFile, name: string): Promise<void> {
  const killed = ['sh', '-c', powerCut, 'sh', dataRoot(file.dataDir, name)];
  await execInHost(file, name, killed, { timeout: 60_000 });
}

/** The first process and its first child are the host itself. A mount ends with the machine, and so does a lock file. */
const powerCut = `
set -eu
read -r keeper _ < /proc/1/task/1/children || [ -n "$keeper" ]
for round in 1 2 3; do
  for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    case $pid in 1 | "$keeper" | $$) ;; *) kill -KILL "$pid" 2> /dev/null || true ;; esac
  done
  sleep 0.2
done
while read -r _ _ _ _ at _; do
  case $at in "$1"/* | /run/*) echo "$at" ;; esac
done < /proc/self/mountinfo | sort -r | while read -r at; do umount -l "$at" 2> /dev/null || true; done
find /run -mindepth 1 -delete
mkdir -p /run/lock /run/sshd
touch /run/ready
`;

/** Returns the state of a host. Throws an error that names the hosts there are. */
export function hostState(file: StateFile, name: string): HostState {
  const host = file.state.hosts.find((candidate) => candidate.name === name);
  if (host) return host;
  throw new Error(`the lab has no host ${name}; it has ${file.state.hosts.map((other) => other.name).join(', ')}`);
}

// Process numbers inside a host are its own; its /proc is seen through its first process.
function isInside(file: StateFile, name: string, pid: string): boolean {
  return existsSync(`/proc/${hostState(file, name).inner}/root/proc/${pid}`);
}

async function startKeeper(file: StateFile, host: HostState, folder: string, ownAccounts: boolean): Promise<void> {
  const script = [
    'set -e',
    `hostname ${host.name}`,
    'mount -t tmpfs -o mode=755,size=64m tmpfs /run',
    'mkdir -p /run/lock /run/sshd',
    'mkdir -p /etc/docker && mount -t tmpfs -o size=1m tmpfs /etc/docker',
    ...(ownAccounts ? ['mount --bind "$1/ssh/shadow" /etc/shadow'] : []),
    // The machine's own users keep their further ids.
    ...(host.remapsUsers ? furtherIds : []),
    ...(host.disk === undefined ? [] : [`mount -t tmpfs -o size=${host.disk} tmpfs "$1/docker"`]),
    'touch /run/ready',
    // The first process of a host also adopts orphans, which a waiting shell does.
    'sleep infinity & wait',
  ].join('\n');
  const unshare = ['unshare', '-m', '-u', '-p', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
  const child = startDetached(
    ['nsenter', `--net=/run/netns/${host.namespace}`, ...unshare, 'sh', '-c', script, 'sh', folder],
    path.join(folder, 'keeper.log'),
  );
  if (child.pid === undefined) throw new Error('nsenter cannot be started: is the package util-linux installed?');
  const keeper = markProcess(child.pid);
  await file.updateHost(host.name, { keeper });
  const deadline = Date.now() + startTimeout;
  for (;;) {
    const inner = await firstChild(keeper.pid);
    if (inner !== undefined && existsSync(`/proc/${inner}/root/run/ready`)) {
      await file.updateHost(host.name, { inner });
      return;
    }
    if (!isRunning(keeper) || Date.now() > deadline) {
      throw new Error(`host ${host.name} did not start: ${await lastLines(path.join(folder, 'keeper.log'))}`);
    }
    await sleep(20);
  }
}

const furtherIds = [
  `printf '${remapped.user}:500000:65536\\n${remapped.group}:500000:65536\\n' > "$1/further-ids"`,
  ...['/etc/subuid', '/etc/subgid'].map((file) => `mount --bind "$1/further-ids" ${file}`),
  `mkdir -p ${remapped.dataRoot} && mount --bind "$1/docker" ${remapped.dataRoot}`,
];

async function firstChild(pid: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const first = Number.parseInt(children, 10);
  return Number.isNaN(first) ? undefined : first;
}

function enter(inner: number): string[] {
  return ['nsenter', '--target', String(inner), '--mount', '--uts', '--net', '--pid', '--'];
}

/** Returns the folder where a host's engine keeps its data. */
export function dataRoot(dataDir: string, name: string): string {
  return path.join(dataDir, 'hosts', name, 'docker');
}

function pings(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/_ping', timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.end();
  });
}

async function lastLines(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join('; ');
}
