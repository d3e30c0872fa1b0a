import { LockageError } from '../../../pipelines/errors.ts';
import type { SshAddress } from '../../../pipelines/model/endpoint.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import { userHostPort } from '../address.ts';

/** A host key as offered by an sshd or written in known_hosts. */
export interface HostKey {
  /** `ssh-ed25519` */
  readonly type: string;
  readonly base64: string;
  /** `SHA256:…`, as `ssh-keygen -l` shows it */
  readonly fingerprint: string;
}

const itsKey = '`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` run on the console of that machine';

/** An error for the first contact with a machine: a person has to confirm one of the fingerprints. */
export class HostKeyUnknownError extends LockageError {
  /** the machine that owns the key: the host, or the one to jump through */
  readonly address: string;
  readonly keys: readonly HostKey[];

  constructor(host: Host, address: SshAddress, keys: readonly HostKey[]) {
    super(`${host.name}: the host key of ${userHostPort(address)} is not known yet`, {
      details: fingerprints(keys),
      hint: `Compare with ${itsKey}, then confirm it, or write it as hostKey of ${host.name}.`,
    });
    this.address = userHostPort(address);
    this.keys = keys;
  }
}

/**
 * An error for a machine that shows another key than the accepted one. Such a key is never accepted without a person.
 */
export class HostKeyChangedError extends LockageError {
  constructor(host: Host, address: SshAddress, pinned: readonly string[], keys: readonly HostKey[], file: string) {
    super(`${host.name}: ${userHostPort(address)} shows another host key than the one accepted before`, {
      details: [...pinned.map((print) => `accepted: ${print}`), ...fingerprints(keys).map((key) => `offered:  ${key}`)],
      hint:
        `Somebody may be in between. If the machine was set up again, compare with ${itsKey}; then change hostKey of ` +
        `${host.name}, or, where none is written, remove its line from ${file}.`,
    });
  }
}

function fingerprints(keys: readonly HostKey[]): string[] {
  return keys.map(({ type, fingerprint }) => `${fingerprint} (${type.replace(/^ssh-/, '')})`);
}

const explanations: readonly (readonly [pattern: RegExp, reason: string, hint: string])[] = [
  [
    /UNPROTECTED PRIVATE KEY FILE|bad permissions/,
    'ssh refuses the private key because others can read it',
    'Set its mode to 600.',
  ],
  [/Too many authentication failures/, 'too many keys were tried', 'Name the right one as identity of the host.'],
  [
    /Permission denied \(/,
    'no key was accepted',
    'Name the private key as `identity` of the target or load it into the ssh agent, and put its public half into ' +
      'authorized_keys there. ~/.ssh/config is not read: an agent of its own (IdentityAgent) is named by SSH_AUTH_SOCK.',
  ],
  [
    /Could not resolve hostname|Name or service not known|getaddrinfo/,
    'its name is not found',
    'Check the name in the url. ~/.ssh/config is not read: what it says of the host is written here, HostName, User and Port ' +
      'in the `url`, IdentityFile as `identity`, ProxyJump as `jump`.',
  ],
  [/Connection refused/, 'the connection was refused', 'Check that sshd runs there, on that port.'],
  [
    /timed out|No route to host|Network is unreachable|Host is down/,
    'it does not answer',
    'Check that it is up, and the network and firewalls between.',
  ],
  [
    /kex_exchange_identification|Connection (?:closed|reset) by/,
    'its sshd drops connections',
    'Too many may log in at once. Try again, or raise MaxStartups in its sshd_config.',
  ],
  [
    /administratively prohibited|open failed/,
    'its sshd forbids the forwarding',
    'Allow it in sshd_config: AllowTcpForwarding, AllowStreamLocalForwarding.',
  ],
];

/** Returns the error that explains ssh's own words to the user; `output` is its standard error. */
export function sshFailure(host: Host, address: SshAddress, output: string, late: boolean): LockageError {
  const lines = output.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('Warning:'));
  const [, reason, hint] = explanations.find(([pattern]) => pattern.test(late ? 'timed out' : output)) ?? [];
  return new LockageError(`${host.name}: cannot connect to ${userHostPort(address)}: ${reason ?? 'ssh failed'}`, {
    details: lines.slice(-5),
    ...(hint === undefined ? {} : { hint }),
  });
}
