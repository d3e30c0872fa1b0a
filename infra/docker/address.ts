import type { SecureContext } from 'node:tls';
import type { Certificate } from '../../pipelines/hosts/certificates.ts';
import { LockageError } from '../../pipelines/errors.ts';
import type { Host } from '../../pipelines/model/target.ts';

/** Where an sshd listens, and as whom to log in (absent: as the local user). */
export interface SshAddress {
  readonly user: string | undefined;
  /** name or address; an IPv6 address without brackets */
  readonly host: string;
  readonly port: number;
}

export interface SshTarget extends SshAddress {
  /** the engine's socket on that host */
  readonly socket: string;
  readonly jump: SshAddress | undefined;
}

/** Where an engine listens. */
export type EngineAddress = { readonly socketPath: string } | { readonly tcp: TcpAddress };

export interface TcpAddress {
  /** name or address; an IPv6 address without brackets */
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsAccess;
}

/** What makes a connection to an engine a trusted one, both ways. */
export interface TlsAccess {
  readonly context: SecureContext;
  /** folder with `ca.pem`, `cert.pem` and `key.pem`, for programs that are told so */
  readonly folder: string;
  readonly certificates: readonly Certificate[];
}

const address = /^(?:([^@/]+)@)?(\[[^\]]*\]|[^:/@[\]]+)(?::(\d{1,5}))?$/;
const hostName = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|[0-9a-f]*:[0-9a-f:.]*)$/i;
const userName = /^[a-z0-9_][a-z0-9_.-]*$/i;
const socketPath = /^(?:\/[a-z0-9._-]+)+$/i;

/** The path of a `unix://` URL, or undefined for another kind. */
export function unixSocket(host: Host): string | undefined {
  if (!host.url.startsWith('unix://')) return undefined;
  const path = host.url.slice('unix://'.length);
  if (path.startsWith('/')) return path;
  throw new LockageError(`${host.name}: "${host.url}" has no absolute path`, {
    hint: 'Write `unix:///var/run/docker.sock`.',
  });
}

/** Host and port of a `tcp://` URL, or undefined for another kind. */
export function tcpAddress(host: Host): TcpAddress | undefined {
  if (!host.url.startsWith('tcp://')) return undefined;
  const [, name = '', bare = '', port = ''] = /^tcp:\/\/(?:\[([^\]]*)\]|([^:/@[\]]+)):(\d{1,5})$/.exec(host.url) ?? [];
  if (hostName.test(name || bare)) return { host: name || bare, port: Number(port) };
  throw new LockageError(`${host.name}: "${host.url}" is no address of a Docker Engine`, {
    hint: 'Write `tcp://host:port`.',
  });
}

/** How Docker's own programs are told where an engine is: its URL, and the folder of their certificates. */
export function dockerHost(engine: EngineAddress): { host: string; certPath?: string } {
  if ('socketPath' in engine) return { host: `unix://${engine.socketPath}` };
  const { tcp } = engine;
  return { host: `tcp://${hostPort(tcp)}`, ...(tcp.tls ? { certPath: tcp.tls.folder } : {}) };
}

/**
 * Reads `ssh://user@host:port/path/of/docker.sock` and the host's `jump`. Everything that ends up in an argument of ssh
 * is checked against a list of allowed characters here, so that no name can pose as an option or a shell word.
 * Throws LockageError.
 */
export function sshTarget(host: Host): SshTarget {
  const [, authority = '', path = ''] = /^ssh:\/\/([^/]*)(\/.*)?$/.exec(host.url) ?? [];
  const read = parseAddress(authority);
  const socket = path === '' || path === '/' ? '/var/run/docker.sock' : path;
  if (!read || !socketPath.test(socket)) {
    throw new LockageError(`${host.name}: "${host.url}" is no address of a Docker Engine`, {
      hint: 'Write `unix:///path/docker.sock` or `ssh://user@host:port[/path/docker.sock]`.',
    });
  }
  const jump = host.jump === undefined ? undefined : parseAddress(host.jump);
  if (host.jump !== undefined && !jump) {
    throw new LockageError(`${host.name}: "${host.jump}" is no host to jump through`, {
      hint: 'Write `user@host:port`.',
    });
  }
  return { ...read, socket, jump };
}

function parseAddress(text: string): SshAddress | undefined {
  const match = address.exec(text);
  if (!match) return undefined;
  const [, user, bracketed = '', port = '22'] = match;
  const host = bracketed.startsWith('[') ? bracketed.slice(1, -1) : bracketed;
  const number = Number(port);
  const valid = hostName.test(host) && (user === undefined || userName.test(user)) && number >= 1 && number <= 65_535;
  return valid ? { user, host, port: number } : undefined;
}

/** The name a host has in a known_hosts file: `host`, or `[host]:port` for another port than 22. */
export function knownHostsName({ host, port }: SshAddress): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** `user@host:port`, for messages. */
export function userHostPort({ user, host, port }: SshAddress): string {
  return `${user === undefined ? '' : `${user}@`}${hostPort({ host, port })}`;
}

/** `host:port`, with brackets where they are needed. */
export function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
