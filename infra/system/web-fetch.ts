import { request as plain, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as secure } from 'node:https';
import { Readable } from 'node:stream';
import { checkServerIdentity } from 'node:tls';
import { proxyAgent, refusedByProxy, verified, webProxyFor, type WebProxy } from './web-proxy.ts';

const mostRedirects = 5;

/**
 * Asks as `fetch` does, through the web proxy where the operator's variables name one for that URL, which Node's own does not know.
 * Bodies are text.
 */
export async function webFetch(
  input: string | URL | Request,
  init: RequestInit = {},
  redirects = 0,
): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input);
  const proxy = webProxyFor(url);
  // Node's own would believe anybody then.
  if (!proxy && process.env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return fetch(input, init);
  const answer = await ask(url, init, proxy).catch((cause: unknown) => {
    init.signal?.throwIfAborted();
    throw cause instanceof Error && 'code' in cause ? new TypeError('fetch failed', { cause }) : cause;
  });
  const status = answer.statusCode ?? 502;
  if (proxy && status === 407) throw refusedByProxy(proxy, status, url.host);
  const { location } = answer.headers;
  if (status >= 300 && status < 400 && status !== 304 && location !== undefined && init.redirect !== 'manual') {
    answer.destroy();
    if (init.redirect === 'error' || redirects === mostRedirects)
      throw new TypeError('fetch failed', { cause: new Error('it leads elsewhere') });
    const to = new URL(location, url);
    return webFetch(to, to.origin === url.origin ? init : { ...init, headers: {} }, redirects + 1);
  }
  const headers = new Headers();
  for (let index = 0; index < answer.rawHeaders.length; index += 2)
    headers.append(answer.rawHeaders[index] ?? '', answer.rawHeaders[index + 1] ?? '');
  const body = [204, 205, 304].includes(status) ? null : (Readable.toWeb(answer) as ReadableStream);
  return new Response(body, { status, statusText: answer.statusMessage ?? '', headers });
}

async function ask(url: URL, init: RequestInit, proxy: WebProxy | undefined): Promise<IncomingMessage> {
  const { method = 'GET', body, signal } = init;
  if (body !== undefined && body !== null && typeof body !== 'string') throw new TypeError('a body has to be text');
  const agent = proxy && (await proxyAgent(proxy, url.protocol));
  const headers = Object.fromEntries(new Headers(init.headers));
  return new Promise((resolve, reject) => {
    const options = { method, headers, ...(agent ? { agent } : {}), ...(signal ? { signal } : {}) };
    const isSecure = url.protocol === 'https:';
    const asked = isSecure ? secure(url, { ...options, ...verified, ...identityOf(url) }) : plain(url, options);
    if (proxy) refuseBy(proxy, asked, url);
    asked.on('error', reject);
    asked.on('response', resolve);
    asked.end(body ?? undefined);
  });
}

/** Returns the check of a server's name. One that is an address would be taken for the proxy. */
export function identityOf(url: URL): { readonly checkServerIdentity: typeof checkServerIdentity } {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { checkServerIdentity: (_asked, certificate) => checkServerIdentity(host, certificate) };
}

/** Has a request fail where its proxy makes no tunnel: its answer would be taken for the server's. */
export function refuseBy(proxy: WebProxy, request: ClientRequest, url: URL): void {
  request.on('proxyConnect', ({ statusCode = 502 }: { readonly statusCode?: number }) => {
    if (statusCode !== 200) request.destroy(refusedByProxy(proxy, statusCode, url.host));
  });
}
