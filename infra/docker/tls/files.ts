import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { LockageError, messageOf } from '../../../pipelines/errors.ts';
import type { TlsFiles } from '../../../pipelines/model/endpoint.ts';

/** The client's side of a connection, read from its files. */
export interface TlsIdentity {
  readonly context: SecureContext;
  readonly ca: readonly X509Certificate[];
  readonly client: X509Certificate;
}

/** Reads the files of a host's `tls` and checks that they belong together. Throws LockageError naming host and file. */
export async function readTlsFiles(host: string, files: TlsFiles): Promise<TlsIdentity> {
  const read = (file: string, what: string) =>
    readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new LockageError(`${host}: ${what} ${file} cannot be read: ${reasonOf(cause)}`, {
        hint: `Correct the paths in tls of ${host}; relative ones count from lockage.yaml.`,
        cause,
      });
    });
  const [ca, cert, key] = await Promise.all([
    read(files.ca, 'the CA certificate'),
    read(files.cert, 'the client certificate'),
    read(files.key, 'the private key'),
  ]);
  const [client] = certificatesIn(host, files.cert, cert);
  const authorities = certificatesIn(host, files.ca, ca);
  const privateKey = keyIn(host, files.key, key);
  if (!client?.checkPrivateKey(privateKey)) {
    throw new LockageError(`${host}: the private key ${files.key} does not fit the certificate ${files.cert}`, {
      details: [`the certificate is for ${nameOf(client?.subject)}`],
      hint: 'Name the key that the certificate was requested with as tls.key.',
    });
  }
  try {
    const context = createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' });
    return { context, ca: authorities, client };
  } catch (cause) {
    throw new LockageError(`${host}: ${files.cert} and ${files.key} cannot be used: ${messageOf(cause)}`, {
      hint: 'Have a certificate issued by today’s standards: EC P-256, or RSA with 2048 bits or more, and SHA-256.',
      cause,
    });
  }
}

const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(host: string, file: string, text: string): X509Certificate[] {
  const blocks = text.match(pem) ?? [];
  try {
    if (blocks.length === 0) throw new Error('it has no BEGIN CERTIFICATE line');
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new LockageError(`${host}: ${file} is no certificate`, {
      details: [messageOf(cause)],
      hint: `Look at it with \`openssl x509 -noout -text -in ${file}\`; it has to be in PEM format.`,
      cause,
    });
  }
}

function keyIn(host: string, file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    if (/^(?:-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(text)) {
      throw new LockageError(`${host}: the private key ${file} is locked with a passphrase`, {
        hint: `Write it without one, for you alone: \`umask 077; openssl pkey -in ${file} -out NEW\`.`,
        cause,
      });
    }
    throw new LockageError(`${host}: ${file} is no private key`, {
      hint: `Look at it with \`openssl pkey -noout -in ${file}\`; it has to be in PEM format.`,
      cause,
    });
  }
}

/** Returns `CN=shop, O=Example` for a name that Node gives in lines. */
export function nameOf(lines: string | undefined): string {
  return (lines ?? '').split('\n').join(', ') || 'nobody';
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  return code === 'EISDIR' ? 'it is a folder' : message;
}
