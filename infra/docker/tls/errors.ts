import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { LockageError } from '../../../pipelines/errors.ts';
import type { TlsFiles } from '../../../pipelines/model/endpoint.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import { whenText } from '../../../pipelines/text/moment.ts';
import { hostPort, type TcpAddress } from '../address.ts';
import { nameOf, type TlsIdentity } from './files.ts';

/** A connection to be explained: which host, where it listens, and which files were used. */
export interface TlsAttempt {
  readonly host: Host;
  readonly address: TcpAddress;
  readonly files: TlsFiles;
  readonly identity: TlsIdentity;
}

const aboutClocks = 'If the date is right, look at the clock of this machine.';

/** Returns an error when a certificate is out of date, or undefined. `now` in milliseconds since 1970. */
export function dateProblem(
  what: string,
  certificate: Pick<PeerCertificate, 'valid_from' | 'valid_to'>,
  issuing: string,
  now: number,
): LockageError | undefined {
  const [from, to] = [Date.parse(certificate.valid_from), Date.parse(certificate.valid_to)];
  if (now > to) {
    return new LockageError(`${what} expired on ${whenOf(to)}`, { hint: `${issuing} ${aboutClocks}` });
  }
  if (now < from) {
    return new LockageError(`${what} is not valid before ${whenOf(from)}`, {
      details: [`this machine's clock says ${whenOf(now)}`],
      hint: `Set the clock right. If it is right: ${issuing}`,
    });
  }
  return undefined;
}

/**
 * Returns why a server's certificate is not trusted; `code` is OpenSSL's or Node's, `chain` begins with that
 * certificate.
 */
export function certificateError(
  { host, address, files, identity }: TlsAttempt,
  code: string,
  chain: readonly PeerCertificate[],
  now: number,
): LockageError {
  const at = hostPort(address);
  const [server, ...above] = chain;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const ofServer =
      server && dateProblem(`${host.name}: the server certificate of ${at}`, server, renewServer(host), now);
    const ofAuthorities = [...above, ...identity.ca.map(datesOf)].map((certificate) =>
      dateProblem(`${host.name}: the CA certificate ${files.ca}`, certificate, 'Have the CA renewed.', now),
    );
    const found = ofServer ?? ofAuthorities.find(Boolean);
    if (found) return found;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = server?.subjectaltname;
    return new LockageError(`${host.name}: the server certificate of ${at} is not for ${address.host}`, {
      details: [names ? `it is for ${names}` : 'it has no subjectAltName, and other names do not count'],
      hint: `Write one of its names in the url, or have one issued with ${address.host} as subjectAltName.`,
    });
  }
  if (unknownIssuer.has(code)) {
    const issuer = server ? nameOf(new X509Certificate(server.raw).issuer) : 'nobody';
    const authorities = identity.ca.map(({ subject }) => nameOf(subject));
    return new LockageError(`${host.name}: the server certificate of ${at} is not signed by the CA in ${files.ca}`, {
      details: [
        `it is signed by ${issuer}`,
        `${files.ca} has ${authorities.join('; ')}`,
        ...(authorities.includes(issuer) ? ['they have the same name, but not the same key'] : []),
      ],
      hint: 'Somebody may be in between. If the host has a new CA, get its certificate another way and name it as tls.ca.',
    });
  }
  return new LockageError(`${host.name}: the server certificate of ${at} is not accepted: ${code}`, {
    hint: renewServer(host),
  });
}

/** Returns why there was no TLS connection at all. */
export function handshakeFailure({ host, address, files, identity }: TlsAttempt, cause: Error): LockageError {
  const alert = alertOf(cause);
  const at = hostPort(address);
  if (alert !== undefined) {
    return new LockageError(`${host.name}: the Docker Engine at ${at} refuses the client certificate ${files.cert}`, {
      details: [
        `it says: ${alert}`,
        `the certificate is for ${nameOf(identity.client.subject)}, signed by ${nameOf(identity.client.issuer)}`,
      ],
      hint: 'It has to be signed by the CA that dockerd was given as --tlscacert, and be for client authentication.',
      cause,
    });
  }
  const text = `${'code' in cause ? String(cause.code) : ''} ${cause.message}`;
  const [, reason, hint] = explanations.find(([pattern]) => pattern.test(text)) ?? [undefined, cause.message];
  return new LockageError(`${host.name}: cannot connect to ${at}: ${reason}`, { ...(hint ? { hint } : {}), cause });
}

/** Returns the TLS alert against this client's certificate, or undefined when the error is something else. */
export function alertOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const found =
    /alert (bad certificate|certificate (?:required|expired|unknown|revoked)|unknown ca|access denied|unsupported certificate|decrypt error)/i;
  return found.exec(error.message)?.[1]?.toLowerCase();
}

const unknownIssuer = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

const explanations: readonly (readonly [pattern: RegExp, reason: string, hint: string])[] = [
  [
    /ECONNREFUSED/,
    'nobody listens there',
    'Start dockerd there with `--tlsverify --host tcp://0.0.0.0:2376`, and open the port for this machine.',
  ],
  [/ENOTFOUND|EAI_AGAIN|EAI_NONAME/, 'its name is not found', 'Check the name in the url.'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|no answer/,
    'it does not answer',
    'Check that it is up, and the network and firewalls between.',
  ],
  [
    /wrong version number|packet length too long|http request|unexpected message|record layer failure/i,
    'what listens there does not speak TLS',
    'Start dockerd there with --tlsverify, --tlscacert, --tlscert and --tlskey; until then its port is open to everybody.',
  ],
  [/protocol version|unsupported protocol/i, 'it speaks no TLS 1.2 or newer', 'Upgrade Docker there.'],
  [
    /ECONNRESET|EPIPE|socket disconnected|closed/,
    'it closed the connection',
    'Check the log of dockerd there, and that nothing between cuts connections off.',
  ],
];

function renewServer({ name }: Host): string {
  return `Have a new certificate issued for ${name} under the same CA, name it as --tlscert of its dockerd and restart that.`;
}

function datesOf({ validFrom, validTo }: X509Certificate): Pick<PeerCertificate, 'valid_from' | 'valid_to'> {
  return { valid_from: validFrom, valid_to: validTo };
}

function whenOf(milliseconds: number): string {
  return whenText(new Date(milliseconds).toISOString());
}
