import { LockageError } from '../../../pipelines/errors.ts';
import type { SshAddress } from '../../../pipelines/model/endpoint.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import { userHostPort } from '../address.ts';
import { shortened } from '../../../pipelines/text/shortened.ts';

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

const unread =
  '~/.ssh/config is not read: write `ssh: { config: true }`, or what it says of the host here, HostName, User and Port in the ' +
  '`url`, IdentityFile as `identity`, ProxyJump as `jump`, IdentityAgent as SSH_AUTH_SOCK.';

function withConfig(host: Host): string {
  return `\`ssh -v ${withoutScheme(host)}\` shows what the ssh_config makes of it; nothing may ask for a passphrase.`;
}

const explanations: readonly (readonly [pattern: RegExp, reason: string, hint: string])[] = [
  [
    /No user exists for uid/,
    'ssh works only for a user that /etc/passwd knows',
    'Run it as such a user. In a container: leave `--user` out, or mount a passwd file that has a line for that number.',
  ],
  [
    /Can't open user config file|[Bb]ad configuration option|terminating, \d+ bad configuration|Bad owner or permissions/,
    'ssh cannot use the ssh_config',
    'See to what ssh says of it; `ssh: { config: … }` of the environment or lockage.yaml names it.',
  ],
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
      `authorized_keys there. ${unread}`,
  ],
  [
    /Could not resolve hostname|Name or service not known|getaddrinfo/,
    'its name is not found',
    `Check the name in the url. ${unread}`,
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

/** Returns the error for a machine that an ssh_config leads through, and whose host key is not known. */
export function strangerBetween(host: Host, output: string): LockageError {
  return new LockageError(
    `${host.name}: a machine on the way there, from the ssh_config, is not known by its host key`,
    {
      details: lastLines(output),
      hint: `Its key is looked up in your own known_hosts: run \`ssh ${withoutScheme(host)}\` by hand once, and compare it.`,
    },
  );
}

function withoutScheme({ endpoint }: Host): string {
  return endpoint.url.replace(/^ssh:\/\//, '').split('/')[0] ?? '';
}

/** Characters of a line: a banner is whatever its host makes of it. */
const longestLine = 500;

function lastLines(output: string): string[] {
  return output
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('Warning:'))
    .slice(-5)
    .map((line) => shortened(line, longestLine));
}

/** Returns the error that explains ssh's own words to the user; `output` is its standard error. */
export function sshFailure(host: Host, address: SshAddress, output: string, late: boolean): LockageError {
  const [, reason, hint] = explanations.find(([pattern]) => pattern.test(late ? 'timed out' : output)) ?? [];
  const isRead = host.endpoint.kind === 'ssh' && host.endpoint.config !== undefined;
  const about = hint === undefined ? undefined : hint.replace(unread, isRead ? withConfig(host) : unread);
  return new LockageError(`${host.name}: cannot connect to ${userHostPort(address)}: ${reason ?? 'ssh failed'}`, {
    details: lastLines(output),
    ...(about === undefined ? {} : { hint: about }),
  });
}
