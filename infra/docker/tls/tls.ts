import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readlink, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { Certificate } from '../../../pipelines/hosts/certificates.ts';
import type { TlsFiles } from '../../../pipelines/model/endpoint.ts';
import type { Host } from '../../../pipelines/model/target.ts';
import { runtimeFolder } from '../../system/runtime-folder.ts';
import type { TcpAddress } from '../address.ts';
import { dateProblem, certificateError, handshakeFailure, type TlsAttempt } from './errors.ts';
import { readTlsFiles } from './files.ts';
import { tlsOptions } from './options.ts';

const deadline = 10_000;
/** Milliseconds in which an engine without session tickets would have refused this client. */
const refusalTime = 500;

/**
 * A connection to an engine over TLS: the engine must show a certificate of the CA for the name it is called by, and
 * gets this client's. Nothing of a connection outlives the process, so commands at the same time have nothing to
 * share.
 */
export class TlsLink {
  readonly #host: Host;
  readonly #address: TcpAddress;
  readonly #files: TlsFiles;
  readonly #stateDir: string;

  constructor(host: Host, address: TcpAddress, files: TlsFiles, stateDir: string) {
    this.#host = host;
    this.#address = address;
    this.#files = files;
    this.#stateDir = stateDir;
  }

  /**
   * Returns the address with its certificates, after both sides accepted each other. Throws LockageError saying what
   * is wrong. The signal ends the attempt.
   */
  async open(signal: AbortSignal): Promise<TcpAddress> {
    const identity = await readTlsFiles(this.#host.name, this.#files);
    const attempt = { host: this.#host, address: this.#address, files: this.#files, identity };
    const { client } = identity;
    const dates = { valid_from: client.validFrom, valid_to: client.validTo };
    const outOfDate = dateProblem(
      `${this.#host.name}: the client certificate ${this.#files.cert}`,
      dates,
      'Have a new one issued under the CA that its Docker Engine trusts.',
      Date.now(),
    );
    if (outOfDate) throw outOfDate;
    const chain = await exchangeCertificates(attempt, signal);
    const certificates: Certificate[] = [
      { use: 'client', expires: isoOf(client.validTo) },
      ...chain.map(({ valid_to: until }, index) => ({
        use: index === 0 ? ('server' as const) : ('CA' as const),
        expires: isoOf(until),
      })),
    ];
    return { ...this.#address, tls: { context: identity.context, folder: await this.#linkFiles(), certificates } };
  }

  /**
   * Returns a folder with the files under the names that Docker's programs look for. Its path is the same for the same
   * host, because it gets into Pulumi's state; the files themselves may move meanwhile.
   */
  async #linkFiles(): Promise<string> {
    const hash = createHash('sha256')
      .update(JSON.stringify([this.#host.endpoint.url, this.#stateDir]))
      .digest('hex')
      .slice(0, 16);
    const folder = join(await runtimeFolder(), `${hash}.tls`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { ca, cert, key } = this.#files;
    for (const [name, file] of Object.entries({ 'ca.pem': ca, 'cert.pem': cert, 'key.pem': key })) {
      const link = join(folder, name);
      if ((await readlink(link).catch(() => undefined)) === file) continue;
      const draft = `${link}.${randomUUID()}`;
      await symlink(file, draft);
      await rename(draft, link);
    }
    return folder;
  }
}

/**
 * Connects only to exchange certificates. Returns the host's certificate and those above it. What the host shows is
 * read even if it cannot be trusted, to say why.
 */
function exchangeCertificates(attempt: TlsAttempt, signal: AbortSignal): Promise<DetailedPeerCertificate[]> {
  const { host, port } = attempt.address;
  return new Promise((resolve, reject) => {
    const options = tlsOptions(host, attempt.identity.context);
    const socket = connect({ ...options, host, port, rejectUnauthorized: false });
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      act();
      socket.destroy();
    };
    const fail = (error: Error) => settle(() => reject(handshakeFailure(attempt, error)));
    const timer = setTimeout(() => fail(new Error('no answer')), deadline);
    const giveUp = () => fail(new Error('closed'));
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) return giveUp();
    socket.on('error', fail);
    socket.on('close', giveUp);
    socket.once('secureConnect', () => {
      const chain = chainOf(socket);
      if (!socket.authorized) {
        const code = String(socket.authorizationError);
        settle(() => reject(certificateError(attempt, code, chain, Date.now())));
        return;
      }
      const accept = () => settle(() => resolve(chain));
      // From TLS 1.3 on, a server judges the client's certificate only now: a session ticket says that it accepts it.
      if (socket.getProtocol() !== 'TLSv1.3') accept();
      else {
        socket.once('session', accept);
        setTimeout(accept, refusalTime).unref();
      }
    });
    socket.resume();
  });
}

function chainOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // A root is its own issuer.
  while (next?.valid_to && !chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

function isoOf(date: string): string {
  return new Date(date).toISOString();
}
