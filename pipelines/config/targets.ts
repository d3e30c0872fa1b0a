import path from 'node:path';
import type { Host } from '../environment.ts';
import { namePattern } from './names.ts';
import type { Path } from './problem.ts';
import type { EnvironmentFile, TargetFile } from './schema.ts';

/** What a swarm is called where an environment's hosts are called by their names. */
export const swarmName = 'swarm';

/** The machines that an environment's file names, and where they stand in it. */
export function targetsOf(own: Pick<EnvironmentFile, 'targets'>): {
  readonly list: readonly TargetFile[];
  readonly path: Path;
  readonly isSwarm: boolean;
} {
  return 'managers' in own.targets
    ? { list: own.targets.managers, path: ['targets', 'managers'], isSwarm: true }
    : { list: own.targets, path: ['targets'], isSwarm: false };
}

/** What is wrong with a target's URL, or undefined. */
export function urlProblem(url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === 'tcp' || scheme === 'http' || scheme === 'https') {
    return `${scheme}:// needs TLS and is not supported yet: write ssh://user@host`;
  }
  if (scheme === undefined || !url.includes('://')) {
    return url.startsWith('/')
      ? `expected a URL: write unix://${url}`
      : 'expected a URL: write ssh://user@host or unix:///path';
  }
  if (scheme === 'unix') return unixProblem(url);
  if (scheme === 'ssh') return sshProblem(url);
  return `${scheme}:// is not supported: write ssh://user@host or unix:///path`;
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
    };
  });
}

/** Two targets with the same key are the same Docker Engine. */
export function engineKey(url: string): string {
  if (url.startsWith('unix:')) return url.replace('/var/run/', '/run/');
  const { hostname: host, port, pathname } = new URL(url);
  return `ssh://${host.toLowerCase()}:${port || '22'}${pathname.replace(/\/$/, '').replace('/var/run/', '/run/').replace('/run/docker.sock', '')}`;
}

function hostname(url: string): string | undefined {
  return url.startsWith('ssh:') ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined;
}

function firstLabel(url: string): string | undefined {
  const label = hostname(url)?.split('.')[0]?.toLowerCase() ?? '';
  return namePattern.test(label) && !/^\d+$/.test(label) ? label : undefined;
}

function keyFile(file: string, root: string): string {
  return file.startsWith('~') ? file : path.posix.resolve(root, file);
}
