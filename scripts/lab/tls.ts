/** The certificates of a lab's hosts that are reached by TLS: one CA and one client for the lab, one for each host. */
import path from 'node:path';
import { createAuthority, issueCertificate, type KeyPair } from './certificates.ts';

const port = 2376;

/** Returns the files a client needs to be accepted by the lab's hosts. */
export function clientFiles(dataDir: string): { ca: string; cert: string; key: string } {
  const folder = path.join(dataDir, 'tls');
  return {
    ca: path.join(folder, 'ca.pem'),
    cert: path.join(folder, 'client.pem'),
    key: path.join(folder, 'client-key.pem'),
  };
}

/** Returns the lab's CA, with which other certificates can be issued. */
export function labAuthority(dataDir: string): KeyPair {
  const folder = path.join(dataDir, 'tls');
  return { cert: path.join(folder, 'ca.pem'), key: path.join(folder, 'ca-key.pem') };
}

/** Makes the CA and the client's certificate. */
export async function createTlsIdentity(dataDir: string, name: string): Promise<void> {
  const folder = path.join(dataDir, 'tls');
  const authority = await createAuthority(folder, `lab ${name}`);
  await issueCertificate(authority, folder, { name: 'client', use: 'client' });
}

/** Returns the folder of `server.pem` and `server-key.pem` of a host. */
export function serverFolder(dataDir: string, host: string): string {
  return path.join(dataDir, 'hosts', host, 'tls');
}

/** Makes the certificate that a host's engine presents. */
export async function createServerCertificate(
  dataDir: string,
  host: { readonly name: string; readonly address: string },
): Promise<void> {
  const names = [`IP:${host.address}`, `DNS:${host.name}`];
  const issue = { name: 'server', use: 'server', altNames: names } as const;
  await issueCertificate(labAuthority(dataDir), serverFolder(dataDir, host.name), issue);
}

/** Returns the arguments that make an engine listen with that certificate, and only accept the lab's clients. */
export function tlsArguments(dataDir: string, host: { readonly name: string; readonly address: string }): string[] {
  const folder = serverFolder(dataDir, host.name);
  return [
    ...['--host', `tcp://${host.address}:${port}`, '--tlsverify', '--tlscacert', clientFiles(dataDir).ca],
    ...['--tlscert', path.join(folder, 'server.pem'), '--tlskey', path.join(folder, 'server-key.pem')],
  ];
}

/** Returns the URL of a host that is reached by TLS. */
export function tlsUrl(address: string): string {
  return `tcp://${address}:${port}`;
}
