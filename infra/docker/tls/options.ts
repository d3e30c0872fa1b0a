import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate, type SecureContext } from 'node:tls';

/** What every TLS connection to an engine has in common; `context` carries the certificates. */
export function tlsOptions(host: string, context: SecureContext): ConnectionOptions {
  return {
    secureContext: context,
    // An address is no server name; the certificate is compared with the address itself then.
    servername: isIP(host) ? '' : host,
    checkServerIdentity: (_name, certificate) => nameError(host, certificate),
  };
}

/** Docker's own programs read no name but those of subjectAltName, so neither does this. */
function nameError(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname) return checkServerIdentity(host, certificate);
  return Object.assign(new Error('the certificate has no subjectAltName'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
}
