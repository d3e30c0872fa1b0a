/** What is wrong with a target's URL, or undefined. */
export function urlProblem(url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined || !url.includes('://')) {
    return url.startsWith('/')
      ? `expected a URL: write unix://${url}`
      : 'expected a URL: write ssh://user@host or unix:///path';
  }
  if (scheme === 'unix') return unixProblem(url);
  if (scheme === 'ssh') return sshProblem(url);
  if (scheme === 'tcp') return tcpProblem(url);
  return `${scheme}:// is not supported: write ssh://user@host, unix:///path or tcp://host:port`;
}

function unixProblem(url: string): string | undefined {
  const socket = url.slice('unix://'.length);
  if (!/^\/[^/\s]/.test(socket)) return 'expected the path of a socket: unix:///var/run/docker.sock';
  // The kernel keeps a socket's path in 108 bytes.
  return Buffer.byteLength(socket) > 107 ? 'the path of the socket is longer than 107 bytes' : undefined;
}

function sshProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return 'expected ssh://user@host or ssh://user@host:port';
  if (url.password !== '') return 'has a password: ssh is used with keys only';
  // Each part becomes an argument of ssh, where a leading hyphen would be an option.
  if (!/^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/i.test(url.hostname))
    return `has an invalid host name: ${url.hostname}`;
  if (url.username !== '' && !/^[a-z_][a-z0-9_.-]*$/i.test(url.username))
    return `has an invalid user name: ${url.username}`;
  if (url.port === '0') return 'expected a port from 1 to 65535';
  if (url.search !== '' || url.hash !== '') return 'has more than user, host, port and socket path';
  return undefined;
}

const tcpUrl = /^tcp:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;

function tcpProblem(text: string): string | undefined {
  const port = Number(tcpUrl.exec(text)?.[1]);
  if (Number.isNaN(port)) return 'expected tcp://host:port';
  return port < 1 || port > 65_535 ? 'expected a port from 1 to 65535' : undefined;
}

/** That a host would be anybody's who reaches its port: a Docker Engine without TLS asks nobody who they are. */
export function openPortProblem(url: string): string | undefined {
  if (!url.startsWith('tcp:') || isLoopback(hostname(url) ?? '')) return undefined;
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

export function hostname(url: string): string | undefined {
  return /^(?:ssh|tcp):/.test(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : undefined;
}
