import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions, type PeerCertificate, type SecureContext } from 'node:tls';
import { verified } from '../../system/web-proxy.ts';

/** Returns the options that every TLS connection to an engine shares; `context` carries the certificates. */
export function tlsOptions(host: string, context: SecureContext): ConnectionOptions {
  return {
    secureContext: context,
    ...verified,
    // An IP address is no server name; the certificate is then compared with the address itself.
    servername: isIP(host) ? '' : host,
    checkServerIdentity: (_name, certificate) => nameError(host, certificate),
  };
}

/**
 * Returns an error unless subjectAltName has the name: Docker's own programs read no other names, so neither does
 * this.
 */
function nameError(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname) return checkServerIdentity(host, certificate);
  return Object.assign(new Error('the certificate has no subjectAltName'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
}
