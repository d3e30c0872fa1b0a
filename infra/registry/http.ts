import { request as plain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent, request as secure, type RequestOptions } from 'node:https';
import type { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { LockageError } from '../../pipelines/errors.ts';
import { identityOf, refuseBy } from '../system/web-fetch.ts';
import { proxyAgent, refusedByProxy, verified, webProxyFor, type WebProxy } from '../system/web-proxy.ts';
import type { Trust } from './trust.ts';

export interface HttpRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | Readable;
  /** absent: redirects are followed */
  readonly redirects?: 'refuse';
  /** absent: whom Node trusts */
  readonly trust?: Trust;
}

export interface HttpHead {
  readonly status: number;
  /** who answered: another server than was asked, after a redirect */
  readonly at: URL;
  /** returns the value of a header by its name in lowercase */
  header(name: string): string | undefined;
}

export interface HttpAnswer extends HttpHead {
  readonly body: Buffer;
}

export interface HttpStream extends HttpHead {
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

const maxBody = 4 * 1024 * 1024;
const mostRedirects = 5;

/**
 * Sends one request and reads its answer whole; redirects are followed, and credentials stay with the server they are
 * for. Node's own `fetch` would do, but loading it costs every command a tenth of a second. Throws what the connection
 * throws, and LockageError for an answer of more than 4 MiB or a redirect from https to http.
 */
export async function exchange(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
  const { status, header, body, at } = await open(url, request, signal);
  return { status, header, at, body: await read(body, at) };
}

/** Sends one request and returns before its answer is read: the caller reads the body to the end, or destroys it. */
export async function open(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpStream> {
  for (let at = url, redirects = 0; ; redirects += 1) {
    const response = await send(at, at.origin === url.origin ? request : withoutCredentials(request), signal);
    const status = response.statusCode ?? 0;
    const place = response.headers.location;
    if (isRedirect(status) && place !== undefined && follows(request) && redirects < mostRedirects) {
      // Whatever comes with it is not waited for, nor read.
      response.destroy();
      at = redirected(at, place);
      continue;
    }
    const header = (name: string) => [response.headers[name] ?? []].flat()[0];
    return { status, header, headers: response.headers, body: response, at };
  }
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function follows({ redirects, body }: HttpRequest): boolean {
  return redirects === undefined && body === undefined;
}

/**
 * Returns the URL that a request is redirected to. Throws LockageError where that leaves https: whoever is on the way
 * could answer.
 */
function redirected(from: URL, place: string): URL {
  const to = new URL(place, from);
  if (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) return to;
  throw new LockageError(`${from.host} redirects from https to ${to.protocol}//${to.host}`, {
    hint: 'Give the place where it keeps its blobs an address with https.',
  });
}

/** Sends one request. A server that nobody vouches for so far is asked once more, with whom the system trusts. */
async function send(url: URL, request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const proxy = webProxyFor(url);
  const isRepeatable = request.body === undefined || Buffer.isBuffer(request.body);
  const used = contextFor(url, request);
  try {
    return await sendOnce(url, request, { proxy, signal });
  } catch (error) {
    if (!isRepeatable || !isDistrust(error)) throw error;
    await request.trust?.widen();
    // Another request may have widened it while this one was on its way.
    if (contextFor(url, request) === used) throw error;
    return sendOnce(url, request, { proxy, signal });
  }
}

interface Way {
  readonly proxy: WebProxy | undefined;
  readonly signal: AbortSignal;
}

async function sendOnce(url: URL, request: HttpRequest, { proxy, signal }: Way): Promise<IncomingMessage> {
  const { method, headers, body } = request;
  const context = contextFor(url, request);
  const options: RequestOptions = {
    ...{ method, signal, ...verified, ...(headers && { headers }) },
    ...(context ? trusting(context) : {}),
    ...(proxy ? { agent: await proxyAgent(proxy, url.protocol, context), ...identityOf(url) } : {}),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = url.protocol === 'https:' ? secure(url, options) : plain(url, options);
    if (proxy) refuseBy(proxy, outgoing, url);
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    if (body === undefined || Buffer.isBuffer(body)) return void outgoing.end(body);
    body.once('error', (error) => outgoing.destroy(error));
    outgoing.once('close', () => body.destroy());
    body.pipe(outgoing);
  });
  if (!proxy || response.statusCode !== 407) return response;
  response.destroy();
  throw refusedByProxy(proxy, 407, url.host);
}

/** Returns what a server is asked with; undefined where Node's own will do. */
function contextFor({ protocol, host }: URL, { trust }: HttpRequest): SecureContext | undefined {
  return protocol === 'https:' ? trust?.contextFor(host) : undefined;
}

const agents = new WeakMap<SecureContext, Agent>();

/** A connection is used again only by who trusts its server for the same reasons. */
function trusting(secureContext: SecureContext): RequestOptions & { readonly secureContext: SecureContext } {
  const agent = agents.get(secureContext) ?? new Agent({ keepAlive: true });
  agents.set(secureContext, agent);
  return { secureContext, agent };
}

function isDistrust(error: unknown): boolean {
  const { code = '' } = Object(error) as { readonly code?: string };
  return /^(UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?)$/.test(
    code,
  );
}

function withoutCredentials({ headers = {}, ...rest }: HttpRequest): HttpRequest {
  const kept = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization');
  return { ...rest, headers: Object.fromEntries(kept) };
}

async function read(response: IncomingMessage, { host }: URL): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBody) throw new LockageError(`${host} sent more than ${maxBody} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
