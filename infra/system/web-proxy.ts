/**
 * The web proxy that an operator's variables name, read as Docker and other programs in Go read them: HTTPS_PROXY or HTTP_PROXY by the
 * scheme, NO_PROXY with names, addresses, networks and ports, all in capitals or not. Loopback is never asked through one.
 */
import type { Agent } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { LockageError } from '../../pipelines/errors.ts';

/** A web proxy, and the variable that names it. Its URL may have a password. */
export interface WebProxy {
  readonly url: URL;
  readonly variable: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Returns the proxy that a URL is asked through; undefined for none. Throws LockageError for one that cannot be used. */
export function webProxyFor(url: URL, variables: Variables = process.env): WebProxy | undefined {
  const named = firstOf(
    url.protocol === 'https:' ? ['HTTPS_PROXY', 'https_proxy'] : ['HTTP_PROXY', 'http_proxy'],
    variables,
  );
  if (!named || isExempt(url, firstOf(['NO_PROXY', 'no_proxy'], variables)?.value ?? '')) return undefined;
  const { name: variable, value } = named;
  const text = /^[a-z0-9+.-]+:\/\//i.test(value) ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy && ['http:', 'https:'].includes(proxy.protocol)) return { url: proxy, variable };
  // What it is may hold a password.
  throw new LockageError(`${variable} names no proxy by http:// or https://`, {
    hint: `Write it as http://proxy.example.com:3128, or leave ${url.hostname} out by NO_PROXY.`,
  });
}

function firstOf(names: readonly string[], variables: Variables) {
  for (const name of names) {
    const value = variables[name]?.trim();
    if (value) return { name, value };
  }
  return undefined;
}

/** Returns whether a URL leads to this computer, or is on the list of NO_PROXY. */
function isExempt(url: URL, list: string): boolean {
  const host = hostOf(url);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || host.endsWith('.localhost') || isLoopback(host)) return true;
  return list.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isWithin(entry, host);
  const [, name = '', onPort] = /^(\[[^\]]*\]|[^:]*|[^[]*:[^[]*:[^[]*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (onPort !== undefined && onPort !== port && isIP(entry) === 0) return false;
  const wanted = isIP(entry) > 0 ? entry : name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
  if (wanted === '') return false;
  if (isIP(wanted) > 0) return wanted === host;
  return wanted.startsWith('.') ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`);
}

function isWithin(network: string, host: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  const most = family === 'ipv6' ? 128 : 32;
  if (isIP(address) === 0 || isIP(host) !== isIP(address) || !/^\d+$/.test(bits) || Number(bits) > most) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}

/** Returns whether a name or address, without brackets, is this computer's own. */
export function isLoopback(host: string): boolean {
  return ['127.0.0.0/8', '::1/128', '::ffff:127.0.0.0/104'].some((network) => isWithin(network, host));
}

function hostOf({ hostname }: URL): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
    .replace(/\.$/, '');
}

/**
 * A server has to show who it is, also where the operator set NODE_TLS_REJECT_UNAUTHORIZED=0 for another program: Node would send
 * logins to anybody then.
 */
export const verified = { rejectUnauthorized: true } as const;

type Agents = Map<string, Agent>;

const common: Agents = new Map();
const apart = new WeakMap<object, Agents>();

/**
 * Returns the agent that asks a proxy. What it needs is loaded only here: most computers have no proxy. Its connections are used
 * again only by requests of the same `trust`: certificates that are believed, and shown.
 */
export async function proxyAgent({ url }: WebProxy, protocol: string, trust?: object): Promise<Agent> {
  const agents = trust ? (apart.get(trust) ?? new Map<string, Agent>()) : common;
  if (trust) apart.set(trust, agents);
  const key = `${protocol} ${url.href}`;
  const known = agents.get(key);
  if (known) return known;
  const made = await makeAgent(url, protocol);
  agents.set(key, made);
  return made;
}

async function makeAgent(proxy: URL, protocol: string): Promise<Agent> {
  const options = { keepAlive: true, ...verified };
  if (protocol === 'https:') {
    const { HttpsProxyAgent } = await import('https-proxy-agent');
    return new HttpsProxyAgent(proxy, options);
  }
  const { HttpProxyAgent } = await import('http-proxy-agent');
  return new HttpProxyAgent(proxy, options);
}

/** Makes the error for a proxy that does not let a request through. */
export function refusedByProxy({ url, variable }: WebProxy, status: number, host: string): LockageError {
  return new LockageError(`the web proxy ${url.host} does not let requests to ${host} through: ${status}`, {
    hint:
      status === 407
        ? `Give it a login that it takes, in ${variable}: http://user:password@${url.host}.`
        : `${variable} names it. Where ${host} is reached without it, add ${host} to NO_PROXY.`,
  });
}
