import { hostname, parseUrl } from '../../model/endpoint.ts';

/** Returns what is wrong with a target's URL, or undefined. */
export function urlProblem(url: string): string | undefined {
  const endpoint = parseUrl(url);
  return endpoint.kind === 'invalid' ? endpoint.problem : undefined;
}

/**
 * Returns a problem when anyone who reaches a host's port could control it: an engine without TLS authenticates nobody.
 */
export function openPortProblem(url: string): string | undefined {
  const endpoint = parseUrl(url);
  if (endpoint.kind !== 'tcp' || isLoopback(hostname(endpoint) ?? '')) return undefined;
  return 'tcp:// without TLS leaves the host to everybody: add tls: { ca, cert, key }, or write ssh://user@host';
}

function isLoopback(host: string): boolean {
  const numbers = host.split('.');
  const isLocal =
    numbers.length === 4 &&
    numbers[0] === '127' &&
    numbers.every((number) => /^\d{1,3}$/.test(number) && Number(number) < 256);
  return host.toLowerCase() === 'localhost' || host === '::1' || isLocal;
}
