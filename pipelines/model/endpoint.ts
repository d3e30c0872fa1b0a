import { LockageError } from '../errors.ts';
import { isIpv6 } from './ip-address.ts';

/** The way to reach a Docker Engine, from its URL and the settings beside it. */
export type Endpoint = UnixEndpoint | SshEndpoint | TcpEndpoint;

/** A socket of this machine: `unix:///path`. */
export interface UnixEndpoint {
  readonly kind: 'unix';
  readonly url: string;
  readonly socket: string;
}

/** The socket of an engine on a machine that is reached by ssh: `ssh://user@host:port[/path/of/docker.sock]`. */
export interface SshEndpoint extends SshAddress {
  readonly kind: 'ssh';
  readonly url: string;
  /** the engine's socket on that machine */
  readonly socket: string;
  /** the machine to go through */
  readonly jump?: Jump;
  /** private key file of the environment */
  readonly identity?: string;
  /** pinned host key: `SHA256:…` fingerprint */
  readonly hostKey?: string;
  readonly config?: SshConfig;
}

/** The ssh_config that is read for a host: the user's own and the computer's, or a file. Absent: none. */
export type SshConfig = true | string;

/** A TCP port of an engine: `tcp://host:port`, with certificates unless it is a port of this machine. */
export interface TcpEndpoint {
  readonly kind: 'tcp';
  readonly url: string;
  /** name or address; an IPv6 address without brackets */
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsFiles;
}

/** The address of an sshd, and the user to log in as (absent: the local user). */
export interface SshAddress {
  readonly user?: string;
  /** name or address; an IPv6 address without brackets */
  readonly host: string;
  readonly port: number;
}

/** A machine to go through on the way to another one. */
export interface Jump extends SshAddress {
  /** as it is configured: `user@host:port` */
  readonly text: string;
}

/** The PEM files by which a client and an engine know each other. */
export interface TlsFiles {
  /** CA that signed the engine's certificate; no other signer is trusted */
  readonly ca: string;
  /** the client's certificate */
  readonly cert: string;
  /** its private key */
  readonly key: string;
}

/** The settings of an endpoint as they are configured and recorded. */
export interface EndpointSettings {
  readonly url: string;
  readonly identity?: string;
  /** `user@host:port` */
  readonly jump?: string;
  readonly hostKey?: string;
  readonly sshConfig?: SshConfig;
  readonly tls?: TlsFiles;
}

/** A URL that names no endpoint, and the reason. */
interface InvalidUrl {
  readonly kind: 'invalid';
  readonly problem: string;
}

/** Returns the endpoint of a host. Throws LockageError naming the host when its URL or its jump cannot be used. */
export function endpointOf(host: string, settings: EndpointSettings): Endpoint {
  const endpoint = parseUrl(settings.url);
  switch (endpoint.kind) {
    case 'invalid':
      throw new LockageError(`${host}: "${settings.url}" is no address of a Docker Engine`, {
        details: [endpoint.problem],
        hint: 'Write unix:///path/docker.sock or ssh://user@host:port[/path/docker.sock].',
      });
    case 'unix':
      return endpoint;
    case 'ssh':
      return { ...endpoint, ...sshSettings(host, settings) };
    case 'tcp':
      return { ...endpoint, ...(settings.tls ? { tls: settings.tls } : {}) };
  }
}

function sshSettings(host: string, { identity, jump, hostKey, sshConfig }: EndpointSettings) {
  return {
    ...(jump === undefined ? {} : { jump: jumpOf(host, jump) }),
    ...(identity === undefined ? {} : { identity }),
    ...(hostKey === undefined ? {} : { hostKey }),
    ...(sshConfig === undefined ? {} : { config: sshConfig }),
  };
}

function jumpOf(host: string, text: string): Jump {
  const address = parseAddress(text);
  if (address) return { ...address, text };
  throw new LockageError(`${host}: "${text}" is no host to jump through`, { hint: 'Write user@host:port.' });
}

/** Returns the settings that an endpoint was made from. */
export function settingsOf(endpoint: Endpoint): EndpointSettings {
  const { url } = endpoint;
  switch (endpoint.kind) {
    case 'unix':
      return { url };
    case 'ssh': {
      const { identity, jump, hostKey, config } = endpoint;
      return {
        url,
        ...(identity === undefined ? {} : { identity }),
        ...(jump === undefined ? {} : { jump: jump.text }),
        ...(hostKey === undefined ? {} : { hostKey }),
        ...(config === undefined ? {} : { sshConfig: config }),
      };
    }
    case 'tcp':
      return { url, ...(endpoint.tls ? { tls: endpoint.tls } : {}) };
  }
}

/** Returns the endpoint that a URL alone names, or what is wrong with the URL. */
export function parseUrl(url: string): Endpoint | InvalidUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || !url.includes('://')) {
    return invalid(
      url.startsWith('/')
        ? `expected a URL: write unix://${url}`
        : 'expected a URL: write ssh://user@host or unix:///path',
    );
  }
  if (scheme === 'unix') return parseUnix(url);
  if (scheme === 'ssh') return parseSsh(url);
  if (scheme === 'tcp') return parseTcp(url);
  return invalid(`${scheme}:// is not supported: write ssh://user@host, unix:///path or tcp://host:port`);
}

function invalid(problem: string): InvalidUrl {
  return { kind: 'invalid', problem };
}

function parseUnix(url: string): UnixEndpoint | InvalidUrl {
  const socket = /^unix:\/\/(\/[^/\s].*)$/s.exec(url)?.[1];
  if (socket === undefined) return invalid('expected the path of a socket: unix:///var/run/docker.sock');
  // The kernel limits a socket's path to 108 bytes, its terminator included.
  if (new TextEncoder().encode(socket).length > 107) return invalid('the path of the socket is longer than 107 bytes');
  return { kind: 'unix', url, socket };
}

/*
 * Everything that ends up in an argument of ssh is checked against these lists of allowed characters, so that no name
 * can pose as an option or a shell word.
 */
const hostName = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|[0-9a-f]*:[0-9a-f:.]*)$/i;
const userName = /^[a-z0-9_][a-z0-9_.-]*$/i;
const socketPath = /^(?:\/[a-z0-9._-]+)+$/i;
const sshAddress = /^(?:([^@/]+)@)?(\[[^\]]*\]|[^:/@[\]]+)(?::(\d{1,5}))?$/;

function parseSsh(text: string): SshEndpoint | InvalidUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const unreadable = 'expected ssh://user@host or ssh://user@host:port';
  if (url === undefined || url.hostname === '') return invalid(unreadable);
  if (url.password !== '') return invalid('has a password: ssh is used with keys only');
  if (!hostName.test(withoutBrackets(url.hostname))) return invalid(`has an invalid host name: ${url.hostname}`);
  if (url.username !== '' && !userName.test(url.username)) return invalid(`has an invalid user name: ${url.username}`);
  if (url.port === '0') return invalid('expected a port from 1 to 65535');
  if (url.search !== '' || url.hash !== '') return invalid('has more than user, host, port and socket path');
  // From the text as it was written: the parts of a URL are rewritten.
  const [, authority = '', path = ''] = /^ssh:\/\/([^/]*)(\/.*)?$/.exec(text) ?? [];
  const address = parseAddress(authority);
  if (!address) return invalid(unreadable);
  const socket = path === '' || path === '/' ? '/var/run/docker.sock' : path;
  if (!socketPath.test(socket)) return invalid(`has an invalid path of a socket: ${socket}`);
  return { kind: 'ssh', url: text, ...address, socket };
}

/** Returns the parts of `user@host:port`, or undefined when it is none. */
export function parseAddress(text: string): SshAddress | undefined {
  const match = sshAddress.exec(text);
  if (!match) return undefined;
  const [, user, bracketed = '', port = '22'] = match;
  const host = withoutBrackets(bracketed);
  const number = Number(port);
  const isHost = hostName.test(host) && (!host.includes(':') || isIpv6(host));
  const valid = isHost && (user === undefined || userName.test(user)) && number >= 1 && number <= 65_535;
  return valid ? { ...(user === undefined ? {} : { user }), host, port: number } : undefined;
}

const tcpUrl = /^tcp:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;

function parseTcp(url: string): TcpEndpoint | InvalidUrl {
  const [, bracketed, digits] = tcpUrl.exec(url) ?? [];
  if (bracketed === undefined) return invalid('expected tcp://host:port');
  const port = Number(digits);
  if (port < 1 || port > 65_535) return invalid('expected a port from 1 to 65535');
  const host = withoutBrackets(bracketed);
  // Text that only looks like an address, as `[::1::]`, names no host.
  if (!hostName.test(host) || !URL.canParse(url)) return invalid('expected tcp://host:port');
  return { kind: 'tcp', url, host, port };
}

/** Returns the name or address in an endpoint's URL, at which published ports are reached; undefined for a socket. */
export function hostname(endpoint: Endpoint): string | undefined {
  return endpoint.kind === 'unix' ? undefined : withoutBrackets(new URL(endpoint.url).hostname);
}

/** Returns a key that two endpoints share when they lead to the same Docker Engine. */
export function engineKey(endpoint: Endpoint): string {
  const host = hostname(endpoint)?.toLowerCase();
  switch (endpoint.kind) {
    case 'unix':
      return `unix://${usualPath(endpoint.socket)}`;
    case 'ssh':
      return `ssh://[${host}]:${endpoint.port}${usualPath(endpoint.socket)}`;
    case 'tcp':
      return `tcp://[${host}]:${endpoint.port}`;
  }
}

/** Resolves `/var/run`, which is a link to `/run` on every current machine. */
function usualPath(socket: string): string {
  return socket.replace(/^\/var\/run\//, '/run/');
}

function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}
