/**
 * Whom a registry is trusted by, as Docker does it: the authorities of the system, and those in `certs.d/REGISTRY/*.crt`, where
 * `*.cert` and `*.key` are certificates to log in with. Node itself knows none of them. Reading all of the system's takes longer than
 * most commands do, so these are believed only once the registry's have failed, or Node's own where it has none.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { LockageError } from '../../pipelines/errors.ts';
import { fullPath, homeFolder } from '../system/this-user.ts';

interface Files {
  readonly authorities: readonly string[];
  readonly pairs: readonly { readonly cert: string; readonly key: string }[];
  readonly unread: readonly string[];
}

/** The trust in a registry, and in those that it leads to. */
export class Trust {
  /** `registry.example.com:5000`, which alone is shown the client's certificate */
  readonly host: string;
  readonly #files: Files;
  readonly #contexts = new Map<string, SecureContext | undefined>();
  #system: readonly string[] | undefined;

  constructor(host: string, files: Files) {
    this.host = host;
    this.#files = files;
  }

  /** what could not be read of it */
  get unread(): readonly string[] {
    return this.#files.unread;
  }

  /** Has it believe the system's authorities, too: Node's, where the system has none. */
  async widen(): Promise<void> {
    if (this.#system !== undefined) return;
    const [bundle, extra] = await Promise.all([systemBundle(), readText(process.env['NODE_EXTRA_CA_CERTS'])]);
    // Authorities that are named take the place of Node's.
    this.#system ??= [bundle ?? rootCertificates.join('\n'), extra].filter((text) => text !== undefined);
  }

  /** Returns what a server is asked with; undefined where Node's own will do. Throws LockageError for files that are no certificates. */
  contextFor(host: string): SecureContext | undefined {
    // A URL leaves out the usual port.
    const isOwn = host === new URL(`https://${this.host}`).host;
    const key = `${isOwn} ${this.#system !== undefined}`;
    if (!this.#contexts.has(key)) this.#contexts.set(key, this.#make(isOwn));
    return this.#contexts.get(key);
  }

  #make(isOwn: boolean): SecureContext | undefined {
    const { authorities } = this.#files;
    const pairs = isOwn ? this.#files.pairs : [];
    const ca = [...authorities, ...(this.#system ?? [])];
    if (ca.length === 0 && pairs.length === 0) return undefined;
    try {
      const login = pairs.length === 0 ? {} : { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key) };
      return createSecureContext({ ...(ca.length === 0 ? {} : { ca }), ...login });
    } catch (cause) {
      throw new LockageError(`a certificate for ${this.host} cannot be used: ${(cause as Error).message}`, {
        details: certificateFolders(this.host),
        hint: 'Each file there has to be in PEM format: *.crt an authority, *.cert the certificate of the *.key beside it.',
      });
    }
  }
}

/** Files with the system's authorities: Debian, Fedora, openSUSE, Alpine and macOS. The first one counts. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Returns the folders in which Docker looks for certificates: that of the computer, and a user's own. */
export function certificateFolders(host: string): string[] {
  const settings = fullPath(process.env['XDG_CONFIG_HOME']) ?? join(homeFolder(), '.config');
  return ['/etc/docker/certs.d', join(settings, 'docker', 'certs.d')].map((folder) => join(folder, host));
}

const known = new Map<string, Promise<Trust>>();

/** Returns the trust in a registry. Throws LockageError for a client's certificate without its key. */
export function trustIn(host: string): Promise<Trust> {
  const folders = certificateFolders(host);
  const key = folders.join('\n');
  const found = known.get(key) ?? Promise.all(folders.map(filesIn)).then((read) => new Trust(host, joined(read)));
  known.set(key, found);
  return found;
}

function joined(files: readonly Files[]): Files {
  return {
    authorities: files.flatMap(({ authorities }) => authorities),
    pairs: files.flatMap(({ pairs }) => pairs),
    unread: files.flatMap(({ unread }) => unread),
  };
}

async function systemBundle(): Promise<string | undefined> {
  for (const file of [process.env['SSL_CERT_FILE'], ...bundles]) {
    const text = await readText(file);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Reads the certificates of a folder as Docker does. */
async function filesIn(folder: string): Promise<Files> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) =>
    ['ENOENT', 'ENOTDIR'].includes(error.code ?? '') ? ([] as string[]) : undefined,
  );
  if (names === undefined) return { authorities: [], pairs: [], unread: [folder] };
  const read = async (name: string) => ({ file: join(folder, name), text: await readText(join(folder, name)) });
  const authorities = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
  const certs = names.filter((name) => name.endsWith('.cert'));
  const keyOf = (name: string) => name.replace(/\.cert$/, '.key');
  const lone = certs.find((name) => !names.includes(keyOf(name)));
  if (lone !== undefined) {
    throw new LockageError(`${join(folder, lone)} has no ${keyOf(lone)} beside it`, {
      hint: 'Docker wants both, too: put the key there, or call an authority *.crt.',
    });
  }
  const pairs = await Promise.all(
    certs.map(async (name) => ({ cert: await read(name), key: await read(keyOf(name)) })),
  );
  const all = [...authorities, ...pairs.flatMap(({ cert, key }) => [cert, key])];
  return {
    authorities: authorities.flatMap(({ text }) => text ?? []),
    pairs: pairs.flatMap(({ cert, key }) =>
      cert.text === undefined || key.text === undefined ? [] : [{ cert: cert.text, key: key.text }],
    ),
    unread: all.flatMap(({ file, text }) => (text === undefined ? [file] : [])),
  };
}

async function readText(file: string | undefined): Promise<string | undefined> {
  return file ? readFile(file, 'utf8').catch(() => undefined) : undefined;
}
