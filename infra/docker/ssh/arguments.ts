import type { SshAddress } from '../../../pipelines/model/endpoint.ts';
import type { SshHost } from '../../../pipelines/model/target.ts';
import type { SshTarget } from '../address.ts';

/** Seconds after which an unresponsive machine is given up on. */
const connectTimeout = 10;

/**
 * Returns the arguments of ssh up to the destination, strict and without questions. The user's ssh_config is left out,
 * so that every operator connects alike and host keys are looked up only where this project wrote them. The identity
 * is used for the machine to jump through too.
 */
export function sshArguments(host: SshHost, knownHosts: string): string[] {
  const { endpoint } = host;
  return [
    ...strict(knownHosts, 'yes'),
    ...identity(host),
    ...proxy(host, endpoint.jump, knownHosts),
    ...login(endpoint),
  ];
}

/**
 * Returns the arguments of an ssh that only writes the host key of one type to `noteFile`, an empty file of its own,
 * and offers no key to log in with. The machine to jump through is checked strictly.
 */
export function keyReadingArguments(
  host: SshHost,
  target: SshTarget,
  knownHosts: string,
  noteFile: string,
  algorithms: string,
): string[] {
  return [
    ...strict(noteFile, 'accept-new'),
    ...['-o', 'PreferredAuthentications=none', '-o', `HostKeyAlgorithms=${algorithms}`],
    ...proxy(host, target.jump, knownHosts),
    '-T',
    ...login(target),
    'true',
  ];
}

function strict(knownHosts: string, checking: 'yes' | 'accept-new'): string[] {
  const options = [
    'BatchMode=yes',
    `StrictHostKeyChecking=${checking}`,
    `UserKnownHostsFile="${withoutTokens(knownHosts)}"`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'HashKnownHosts=no',
    'CheckHostIP=no',
    'ForwardAgent=no',
    'ExitOnForwardFailure=yes',
    `ConnectTimeout=${connectTimeout}`,
    'ServerAliveInterval=5',
    'ServerAliveCountMax=3',
  ];
  return ['-F', 'none', ...options.flatMap((option) => ['-o', option])];
}

function identity({ endpoint: { identity: file } }: SshHost): string[] {
  if (file === undefined) return [];
  return ['-o', 'IdentitiesOnly=yes', '-o', `IdentityFile="${withoutTokens(file)}"`];
}

function proxy(host: SshHost, jump: SshAddress | undefined, knownHosts: string): string[] {
  if (!jump) return [];
  // ssh gives this line to a shell, and reads % as the start of a token
  const words = ['ssh', ...strict(knownHosts, 'yes'), ...identity(host), '-W', '[%h]:%p', ...login(jump)];
  const line = words.map((word) => (word === '[%h]:%p' ? word : shellWord(word).replaceAll('%', '%%'))).join(' ');
  return ['-o', `ProxyCommand=${line}`];
}

function login({ user, host, port }: SshAddress): string[] {
  return ['-p', String(port), ...(user === undefined ? [] : ['-l', user]), '--', host];
}

function withoutTokens(path: string): string {
  if (/["\n\\$]/.test(path)) throw new TypeError(`ssh cannot be given the path ${path}`);
  return path.replaceAll('%', '%%');
}

/** Returns the word quoted so that a shell reads it back unchanged. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
