/** Certificates made with the openssl program, good and bad ones. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../tools/command.ts';

/** The PEM files of a certificate and its private key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Issue {
  /** its CN, and the name of its files */
  readonly name: string;
  readonly use: 'server' | 'client';
  /** `IP:10.0.0.1`, `DNS:prod-1` */
  readonly altNames?: readonly string[];
  /** milliseconds since 1970; an hour ago by default */
  readonly from?: number;
  /** milliseconds since 1970; in a year by default */
  readonly until?: number;
}

const hour = 60 * 60_000;
const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes a CA of its own, valid for that many days from now; with -1 it expired yesterday. */
export async function createAuthority(folder: string, name: string, days = 365): Promise<KeyPair> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const pair = filesOf(folder, 'ca');
  const [request, extensions] = [path.join(folder, 'ca.csr'), path.join(folder, 'ca.cnf')];
  await run(['openssl', 'req', '-new', ...ecKey, '-subj', `/CN=${name}`, '-keyout', pair.key, '-out', request]);
  await writeFile(extensions, 'basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n');
  const signing = ['-req', '-in', request, '-signkey', pair.key, '-days', String(days), '-extfile', extensions];
  await run(['openssl', 'x509', ...signing, '-out', pair.cert]);
  return pair;
}

/** Makes a certificate that the CA signs, in `NAME.pem` and `NAME-key.pem`; earlier files are overwritten. */
export async function issueCertificate(authority: KeyPair, folder: string, issue: Issue): Promise<KeyPair> {
  const { name, use, altNames = [], from = Date.now() - hour, until = Date.now() + 365 * 24 * hour } = issue;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const pair = filesOf(folder, name);
  const fileOf = (ending: string) => path.join(folder, `${name}.${ending}`);
  const [request, config, index] = [fileOf('csr'), fileOf('cnf'), fileOf('index')];
  await run(['openssl', 'req', '-new', ...ecKey, '-subj', `/CN=${name}`, '-keyout', pair.key, '-out', request]);
  // Only `openssl ca` takes both dates, and it needs a configuration file.
  const lines = [
    ...['[ca]', 'default_ca = lab', '[lab]', `database = ${index}`, `new_certs_dir = ${folder}`, 'rand_serial = yes'],
    ...['default_md = sha256', 'policy = any', 'x509_extensions = uses', '[any]', 'commonName = supplied'],
    ...['[uses]', `extendedKeyUsage = ${use}Auth`],
    ...(altNames.length === 0 ? [] : [`subjectAltName = ${altNames.join(',')}`]),
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  await writeFile(index, '');
  const dates = ['-startdate', asn1Time(from), '-enddate', asn1Time(until)];
  const signer = ['-cert', authority.cert, '-keyfile', authority.key];
  const files = ['-config', config, '-in', request, '-out', pair.cert];
  await run(['openssl', 'ca', '-batch', '-notext', ...signer, ...files, ...dates]);
  return pair;
}

function filesOf(folder: string, name: string): KeyPair {
  return { cert: path.join(folder, `${name}.pem`), key: path.join(folder, `${name}-key.pem`) };
}

/** Writes a time for openssl: `20261121125000Z` */
function asn1Time(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
}
