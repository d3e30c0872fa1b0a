import type { SshAddress, SshConfig } from '../../../pipelines/model/endpoint.ts';
import type { SshHost } from '../../../pipelines/model/target.ts';
import { knownHostsName, type SshTarget } from '../address.ts';
import { isSince, type SshVersion } from './version.ts';

/** Seconds after which an unresponsive machine is given up on. */
const connectTimeout = 10;

/** A host with files by paths that ssh can be given, and the ssh that is given them. */
export interface SshCall {
  readonly host: SshHost;
  readonly knownHosts: string;
  /** counts where an ssh_config is read; absent: nobody knows, and it is a late one */
  readonly version?: SshVersion | undefined;
}

/**
 * Returns the arguments of ssh up to the destination, strict and without questions. No ssh_config is read, so that every
 * operator connects alike, unless the environment asks for one; and host keys are looked up only where this project wrote
 * them. The identity is used for the machine to jump through too. Paths have to be plain ones.
 */
export function sshArguments(call: SshCall): string[] {
  const { endpoint } = call.host;
  const { config } = endpoint;
  return [
    ...strict({ ...call, checking: 'yes', address: endpoint, config }),
    ...identity(call.host),
    ...proxy(call, endpoint.jump),
    ...login(endpoint, config),
  ];
}

/**
 * Returns the arguments of an ssh that speaks to a master connection, which needs no more than the name. What an ssh_config has to
 * say about forwards and commands is not for it.
 */
export function controlArguments(call: SshCall): string[] {
  const { knownHosts } = call;
  const { config, ...endpoint } = call.host.endpoint;
  return config === undefined
    ? sshArguments(call)
    : [...strict({ knownHosts, checking: 'yes', address: endpoint, config: undefined }), ...login(endpoint, undefined)];
}

/**
 * Returns the arguments of an ssh that only writes the host key of one type to `noteFile`, an empty file of its own,
 * and offers no key to log in with. The machine to jump through is checked strictly.
 */
export function keyReadingArguments(call: SshCall, target: SshTarget, noteFile: string, algorithms: string): string[] {
  const { config } = call.host.endpoint;
  return [
    ...strict({ ...call, knownHosts: noteFile, checking: 'accept-new', address: target, config }),
    ...['-o', 'PreferredAuthentications=none', '-o', `HostKeyAlgorithms=${algorithms}`],
    ...proxy(call, target.jump),
    '-T',
    ...login(target, config),
    'true',
  ];
}

interface Strictness extends Pick<SshCall, 'knownHosts' | 'version'> {
  readonly checking: 'yes' | 'accept-new';
  readonly address: SshAddress;
  readonly config: SshConfig | undefined;
}

function strict({ knownHosts, version, checking, address, config }: Strictness): string[] {
  const options = [
    'BatchMode=yes',
    `StrictHostKeyChecking=${checking}`,
    `UserKnownHostsFile="${knownHosts.replaceAll('%', '%%')}"`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'HashKnownHosts=no',
    'CheckHostIP=no',
    'ForwardAgent=no',
    'ExitOnForwardFailure=yes',
    `ConnectTimeout=${connectTimeout}`,
    'ServerAliveInterval=5',
    'ServerAliveCountMax=3',
    ...(config === undefined ? [] : overConfig(address, version)),
  ];
  const read = config === undefined ? ['-F', 'none'] : config === true ? [] : ['-F', config];
  return [...read, ...options.flatMap((option) => ['-o', option])];
}

/**
 * What an ssh_config does not decide: whose host key is accepted, and what is run and forwarded. An alias has its key under the name
 * that the project calls it, wherever it leads.
 */
function overConfig(address: SshAddress, version: SshVersion | undefined): string[] {
  return [
    // Older programs know no such thing, and take no option that they do not know. IgnoreUnknown would have them take it, and
    // would hide the one in the ssh_config.
    ...(isSince(version, [8, 5]) ? ['KnownHostsCommand=none'] : []),
    ...(isSince(version, [8, 7]) ? ['SessionType=default'] : []),
    `HostKeyAlias=${knownHostsName(address)}`,
    'VerifyHostKeyDNS=no',
    'NoHostAuthenticationForLocalhost=no',
    'ControlMaster=no',
    'ControlPath=none',
    'ClearAllForwardings=yes',
    'ForwardX11=no',
    'Tunnel=no',
    'PermitLocalCommand=no',
    'RemoteCommand=none',
    'RequestTTY=no',
    'LogLevel=INFO',
  ];
}

function identity({ endpoint: { identity: file } }: SshHost): string[] {
  if (file === undefined) return [];
  return ['-o', 'IdentitiesOnly=yes', '-o', `IdentityFile="${file.replaceAll('%', '%%')}"`];
}

function proxy(call: SshCall, jump: SshAddress | undefined): string[] {
  if (!jump) return [];
  const { host } = call;
  const { config } = host.endpoint;
  const through = strict({ ...call, checking: 'yes', address: jump, config });
  // ssh gives this line to a shell, and reads % as the start of a token
  const words = ['ssh', ...through, ...identity(host), '-W', '[%h]:%p', ...login(jump, config)];
  const line = words.map((word) => (word === '[%h]:%p' ? word : shellWord(word).replaceAll('%', '%%'))).join(' ');
  return ['-o', `ProxyCommand=${line}`];
}

function login(address: SshAddress, config: SshConfig | undefined): string[] {
  const { user, host, port } = address;
  // A port that nobody wrote is one that an ssh_config may say.
  const isOpen = config !== undefined && !hasPort(address);
  return [...(isOpen ? [] : ['-p', String(port)]), ...(user === undefined ? [] : ['-l', user]), '--', host];
}

function hasPort(address: SshAddress & { readonly url?: string; readonly text?: string }): boolean {
  const authority = address.text ?? address.url?.replace(/^ssh:\/\//, '').split('/')[0] ?? '';
  return address.port !== 22 || authority.endsWith(':22');
}

/** Returns the word quoted so that a shell reads it back unchanged. */
export function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
