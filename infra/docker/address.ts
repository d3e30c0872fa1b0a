import type { SecureContext } from 'node:tls';
import type { Certificate } from '../../pipelines/hosts/certificates.ts';
import type { SshAddress } from '../../pipelines/model/endpoint.ts';

/** An sshd to log in at, and the machine to jump through. */
export interface SshTarget extends SshAddress {
  readonly jump?: SshAddress | undefined;
}

/** The address at which an engine listens. */
export type EngineAddress = { readonly socketPath: string } | { readonly tcp: TcpAddress };

export interface TcpAddress {
  /** name or address; an IPv6 address without brackets */
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsAccess;
}

/** The certificates that make both sides of a connection to an engine trusted. */
export interface TlsAccess {
  readonly context: SecureContext;
  /** folder with `ca.pem`, `cert.pem` and `key.pem`, for programs that take it as a setting */
  readonly folder: string;
  readonly certificates: readonly Certificate[];
}

/**
 * Returns the settings by which Docker's own programs find an engine: its URL, and the folder of their certificates.
 */
export function dockerHost(engine: EngineAddress): { host: string; certPath?: string } {
  if ('socketPath' in engine) return { host: `unix://${engine.socketPath}` };
  const { tcp } = engine;
  return { host: `tcp://${hostPort(tcp)}`, ...(tcp.tls ? { certPath: tcp.tls.folder } : {}) };
}

/** Returns the name a host has in a known_hosts file: `host`, or `[host]:port` for another port than 22. */
export function knownHostsName({ host, port }: SshAddress): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

/** Returns `user@host:port`, for messages. */
export function userHostPort({ user, host, port }: SshAddress): string {
  return `${user === undefined ? '' : `${user}@`}${hostPort({ host, port })}`;
}

/** Returns `host:port`, with brackets where they are needed. */
export function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
