import path from 'node:path';
import type { Host, TlsFiles } from '../../model/environment.ts';
import { unmade } from '../../model/machine-pool.ts';
import { namePattern } from '../schema/names.ts';
import { defaults } from './defaults.ts';
import type { Path } from '../source/problem.ts';
import type { EnvironmentFile } from '../schema/files.ts';
import type { MachinesFile, TargetFile, TargetsFile } from '../schema/targets.ts';

/** What a swarm is called where an environment's hosts are called by their names. */
export const swarmName = 'swarm';

/** The targets that an environment's file names, and where they stand in it; none where it makes its machines itself. */
export function targetsOf(own: Pick<EnvironmentFile, 'targets'>): {
  readonly list: readonly TargetFile[];
  readonly path: Path;
  readonly isSwarm: boolean;
} {
  const { targets } = own;
  if ('managers' in targets) return { list: targets.managers, path: ['targets', 'managers'], isSwarm: true };
  return { list: isMachines(targets) ? [] : targets, path: ['targets'], isSwarm: false };
}

export function isMachines(targets: TargetsFile): targets is MachinesFile {
  return 'kind' in targets && targets.kind !== 'swarm';
}

/** What is wrong with a target's URL, or undefined. */
export function urlProblem(url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || !url.includes('://')) {
    return url.startsWith('/')
      ? `expected a URL: write unix://${url}`
      : 'expected a URL: write ssh://user@host or unix:///path';
  }
  if (scheme === 'unix') return unixProblem(url);
  if (scheme === 'ssh') return sshProblem(url);
  if (scheme === 'tcp') return tcpProblem(url);
  return `${scheme}:// is not supported: write ssh://user@host, unix:///path or tcp://host:port`;
}

function unixProblem(url: string): string | undefined {
  const socket = url.slice('unix://'.length);
  if (!/^\/[^/\s]/.test(socket)) return 'expected the path of a socket: unix:///var/run/docker.sock';
  // The kernel keeps a socket's path in 108 bytes.
  return Buffer.byteLength(socket) > 107 ? 'the path of the socket is longer than 107 bytes' : undefined;
}

function sshProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return 'expected ssh://user@host or ssh://user@host:port';
  if (url.password !== '') return 'has a password: ssh is used with keys only';
  // Each part becomes an argument of ssh, where a leading hyphen would be an option.
  if (!/^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/i.test(url.hostname))
    return `has an invalid host name: ${url.hostname}`;
  if (url.username !== '' && !/^[a-z_][a-z0-9_.-]*$/i.test(url.username))
    return `has an invalid user name: ${url.username}`;
  if (url.port === '0') return 'expected a port from 1 to 65535';
  if (url.search !== '' || url.hash !== '') return 'has more than user, host, port and socket path';
  return undefined;
}

const tcpUrl = /^tcp:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;

function tcpProblem(text: string): string | undefined {
  const port = Number(tcpUrl.exec(text)?.[1]);
  if (Number.isNaN(port)) return 'expected tcp://host:port';
  return port < 1 || port > 65_535 ? 'expected a port from 1 to 65535' : undefined;
}

/** That a host would be anybody's who reaches its port: a Docker Engine without TLS asks nobody who they are. */
export function openPortProblem(url: string): string | undefined {
  if (!url.startsWith('tcp:') || isLoopback(hostname(url) ?? '')) return undefined;
  return 'tcp:// without TLS leaves the host to everybody: add tls: { ca, cert, key }, or write ssh://user@host';
}

function isLoopback(host: string): boolean {
  const numbers = host.split('.');
  const isLocal =
    numbers.length === 4 &&
    numbers[0] === '127' &&
    numbers.every((number) => /^\d{1,3}$/.test(number) && Number(number) < 256);
  return host.toLowerCase() === 'localhost' || host === '::1' || isLocal;
}

/** Settings that do not go with a target's URL, which must have passed `urlProblem`. */
export function settingProblems(target: Exclude<TargetFile, string>): { key: string; message: string }[] {
  const { url } = target;
  const sshOnly = (['identity', 'jump', 'hostKey'] as const).filter((key) => target[key] !== undefined);
  const open = target.tls === undefined ? openPortProblem(url) : undefined;
  return [
    ...(url.startsWith('ssh:') ? [] : sshOnly.map((key) => ({ key, message: 'is for ssh:// targets only' }))),
    ...(target.tls && !url.startsWith('tcp:') ? [{ key: 'tls', message: 'is for tcp:// targets only' }] : []),
    ...(open === undefined ? [] : [{ key: 'url', message: open }]),
  ];
}

/** The hosts of an environment, whatever kind of targets it has. */
export function targetHosts(environment: string, targets: TargetsFile, root: string): Host[] {
  return isMachines(targets)
    ? machineHosts(environment, targets)
    : hostsOf(environment, targetsOf({ targets }).list, root);
}

/** The machines that an environment makes: where each is reached is known once it is made. */
function machineHosts(environment: string, { count = defaults.machine.count }: MachinesFile): Host[] {
  return Array.from({ length: count }, (_, index) => unmade(`${environment}-${index + 1}`));
}

/** The hosts of an environment; URLs must have passed `urlProblem`. Relative key files are taken from `root`. */
export function hostsOf(environment: string, targets: readonly TargetFile[], root: string): Host[] {
  const written = targets.map((target) => (typeof target === 'string' ? { url: target } : target));
  const guesses = written.map((target) => target.name ?? firstLabel(target.url));
  return written.map((target, index) => {
    const guess = guesses[index];
    const isShared = target.name === undefined && guesses.filter((other) => other === guess).length > 1;
    return {
      name: guess === undefined || isShared ? `${environment}-${index + 1}` : guess,
      url: target.url,
      address: target.address ?? hostname(target.url) ?? '127.0.0.1',
      ...(target.identity === undefined ? {} : { identity: keyFile(target.identity, root) }),
      ...(target.jump === undefined ? {} : { jump: target.jump }),
      ...(target.hostKey === undefined ? {} : { hostKey: target.hostKey }),
      ...(target.tls === undefined ? {} : { tls: tlsFiles(target.tls, root) }),
    };
  });
}

/** Two targets with the same key are the same Docker Engine. */
export function engineKey(url: string): string {
  if (url.startsWith('unix:')) return url.replace('/var/run/', '/run/');
  const { protocol, hostname: host, port, pathname } = new URL(url);
  if (protocol === 'tcp:') return `tcp://${host.toLowerCase()}:${port}`;
  return `ssh://${host.toLowerCase()}:${port || '22'}${pathname.replace(/\/$/, '').replace('/var/run/', '/run/').replace('/run/docker.sock', '')}`;
}

function hostname(url: string): string | undefined {
  return /^(?:ssh|tcp):/.test(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined;
}

function firstLabel(url: string): string | undefined {
  const label = hostname(url)?.split('.')[0]?.toLowerCase() ?? '';
  return namePattern.test(label) && !/^\d+$/.test(label) ? label : undefined;
}

function keyFile(file: string, root: string): string {
  return file.startsWith('~') ? file : path.posix.resolve(root, file);
}

function tlsFiles({ ca, cert, key }: TlsFiles, root: string): TlsFiles {
  return { ca: keyFile(ca, root), cert: keyFile(cert, root), key: keyFile(key, root) };
}
