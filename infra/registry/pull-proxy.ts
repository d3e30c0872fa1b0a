import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { LockageError, messageOf } from '../../pipelines/errors.ts';
import { isEmbedded } from '../../pipelines/model/embedded.ts';
import type { Digest } from '../../pipelines/model/release.ts';
import type { RegistryClient } from './client.ts';
import { engineLogin } from './credentials.ts';
import { isDigest, parseReference } from './reference.ts';

/**
 * Returns the name under which a repository is pulled from a pull proxy, so that such names on a host can be
 * recognized. Another registry may have a repository of the same name, and its own name has characters that no path of
 * an image may have.
 */
export function proxyName(repository: string): string {
  const { registry, name } = parseReference(repository);
  return `lockage-pull/${createHash('sha256').update(registry).digest('hex').slice(0, 12)}/${name}`;
}

/**
 * Returns the names that images of a repository have while they are pulled from a port of the loopback: from a pull proxy, or
 * from the embedded registry itself.
 */
export function passingNames(repository: string): readonly string[] {
  return isEmbedded(repository) ? [proxyName(repository), parseReference(repository).name] : [proxyName(repository)];
}

const kept = ['content-type', 'content-length', 'content-range', 'accept-ranges', 'docker-content-digest', 'etag'];
const user = 'lockage';

/** A repository of a registry, read-only, as this machine reaches it: with its credentials, certificates and names. */
export interface PullProxy {
  /** not listening yet; the caller chooses where */
  readonly server: Server;
  /** the repository's name there */
  readonly name: string;
  /** the login to it in the form that an engine takes; useless anywhere else or later */
  readonly auth: string;
  /** returns why the registry failed to serve a request that did not succeed later */
  failure(): LockageError | undefined;
  /** ends all transfers */
  end(): void;
}

/**
 * Starts a small registry that asks the real one. Only digests of the repository can be read, with a password of its
 * own: on a host, others may reach its port as well. Bodies are passed on as they arrive, never kept.
 */
export function startPullProxy(registry: RegistryClient, repository: string): PullProxy {
  const name = proxyName(repository);
  const password = randomBytes(24).toString('hex');
  const authorization = Buffer.from(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`);
  const failures = new Map<string, LockageError>();

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method } = request;
    if (!isLoggedIn(request, authorization)) {
      response.setHeader('WWW-Authenticate', `Basic realm="${user}"`);
      return refuse(response, 401, 'UNAUTHORIZED', 'a login is needed');
    }
    if (method !== 'GET' && method !== 'HEAD') return refuse(response, 405, 'UNSUPPORTED', 'for reading only');
    const [path = ''] = (request.url ?? '').split('?');
    if (path === '/v2/') return void response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    const asked = askedIn(path, name);
    return asked
      ? passOn({ registry, repository, failures }, asked, request, response)
      : refuse(response, 404, 'NAME_UNKNOWN', 'not offered here');
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent || !(error instanceof LockageError)) return response.destroy();
      return refuse(response, 502, 'UNKNOWN', error.message);
    });
  });
  return {
    server,
    name,
    auth: engineLogin({ username: user, password }),
    failure: () => [...failures.values()][0],
    end: () => server.closeAllConnections(),
  };
}

function isLoggedIn({ headers }: IncomingMessage, authorization: Buffer): boolean {
  const given = Buffer.from(headers.authorization ?? '');
  return given.length === authorization.length && timingSafeEqual(given, authorization);
}

/** The registry that is asked, and what failed there, by path. */
interface Origin {
  readonly registry: RegistryClient;
  readonly repository: string;
  readonly failures: Map<string, LockageError>;
}

/** Passes on what the registry answers. */
async function passOn(
  { registry, repository, failures }: Origin,
  { path, kind, digest }: Asked,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
  // An engine that aborts a transfer ends it here too, which is no failure of the registry.
  const failed = (error: unknown) => {
    if (!gone.signal.aborted) failures.set(path, asFailure(parseReference(repository).registry, error));
  };
  const question = { method, kind, digest, headers: asking(request) } as const;
  const found = await registry.stream(repository, question, gone.signal).catch((error: unknown) => {
    failed(error);
    throw error;
  });
  // Not from the pipeline: it also fails when the response is closed, whichever came first.
  found.body.once('error', failed);
  response.writeHead(found.status, telling(found.headers));
  await pipeline(found.body, response);
  if (method === 'GET') failures.delete(path);
}

/** The content that an engine asks for. */
interface Asked {
  readonly path: string;
  readonly kind: 'blobs' | 'manifests';
  readonly digest: Digest;
}

/** Returns what a path names of a repository, by its digest; undefined for any other path. */
function askedIn(path: string, name: string): Asked | undefined {
  const [, wanted, kind, digest = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(sha256:[0-9a-f]{64})$/.exec(path) ?? [];
  if (wanted !== name || !isDigest(digest)) return undefined;
  return { path, kind: kind === 'blobs' ? 'blobs' : 'manifests', digest };
}

function asFailure(host: string, error: unknown): LockageError {
  if (error instanceof LockageError) return error;
  const reason = messageOf(error);
  const hint = 'Try again; look for what cuts long transfers off between this machine and the registry.';
  return new LockageError(`a transfer from the registry ${host} broke off: ${reason}`, { hint, cause: error });
}

function asking({ headers: { accept, range } }: IncomingMessage): Record<string, string> {
  return { ...(accept === undefined ? {} : { Accept: accept }), ...(range === undefined ? {} : { Range: range }) };
}

function telling(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(
    kept.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
  );
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
