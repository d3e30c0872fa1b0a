import { request as plain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as secure } from 'node:https';
import type { Readable } from 'node:stream';
import { LockageError } from '../../pipelines/errors.ts';

export interface HttpRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | Readable;
  /** absent: redirects are followed */
  readonly redirects?: 'refuse';
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

function send(url: URL, { method, headers, body }: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? secure : plain)(url, { method, ...(headers && { headers }), signal });
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    if (body === undefined || Buffer.isBuffer(body)) return void outgoing.end(body);
    body.once('error', (error) => outgoing.destroy(error));
    outgoing.once('close', () => body.destroy());
    body.pipe(outgoing);
  });
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
