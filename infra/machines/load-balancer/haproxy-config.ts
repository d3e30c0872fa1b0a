/** HAProxy's configuration for the one address of an environment's machines. The machines are changed while it runs. */
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';
import type { Backend } from '../../resources/inputs.ts';

/** The address and ports a load balancer listens on, and the machines behind them. */
export interface LoadBalancerTarget {
  readonly address: string;
  readonly ports: readonly number[];
  readonly servers: readonly Backend[];
  /** addresses and networks whose headers for the client are kept */
  readonly trusted?: readonly string[];
}

/**
 * The slots for machines at each port: the old and the new set of the largest environment, and machines still leaving.
 */
const slots = 150;

/** The time a machine may take to acknowledge what it was sent. HAProxy ignores it among the defaults of servers. */
const ackTimeout = 'tcp-ut 4s';

/** Returns the machines that serve a port. */
export function backendsAt(servers: readonly Backend[], port: number): readonly Backend[] {
  return servers.filter(({ ports }) => ports?.includes(port) ?? true);
}

/** Returns the name of a port's section. */
export function sectionOf(port: number): string {
  return `port-${port}`;
}

/** Returns the admin socket in the load balancer's folder. */
export const adminSocket = 'admin.sock';

/** Returns a hash of everything but the machines: a load balancer with another hash needs a new process to change. */
export function shapeOf(target: LoadBalancerTarget, user?: string): string {
  return fingerprint(configText({ ...target, servers: [] }, '', user));
}

/**
 * Returns the configuration. With `user`, the process switches to that user once it listens; without, it keeps the one
 * it was started as.
 */
export function haproxyConfig(target: LoadBalancerTarget, user?: string): string {
  return configText(target, shapeOf(target, user), user);
}

function configText(target: LoadBalancerTarget, shape: string, user: string | undefined): string {
  return `${[...global(target.address, shape, user), ...defaults, ...target.ports.flatMap((port) => section(target, port))].join('\n')}\n`;
}

function global(address: string, shape: string, user: string | undefined): string[] {
  return [
    'global',
    // This is how a running load balancer reports what it was started with.
    `  description ${address} shape-${shape}`,
    '  maxconn 8192',
    // Otherwise two load balancers could share a port, each with half of the requests.
    '  noreuseport',
    // A replaced process ends once its last request is answered, and after this time at the latest.
    '  hard-stop-after 10m',
    `  stats socket unix@${adminSocket} mode 600 level admin expose-fd listeners`,
    ...(user === undefined ? [] : [`  user ${user}`, `  group ${user}`]),
  ];
}

const defaults: readonly string[] = [
  'defaults',
  '  mode http',
  '  balance leastconn',
  '  timeout connect 500ms',
  '  timeout check 500ms',
  '  timeout queue 5s',
  '  timeout http-request 60s',
  '  timeout http-keep-alive 20s',
  // The application decides how long an answer may take.
  '  timeout client 1h',
  '  timeout server 1h',
  '  timeout tunnel 24h',
  '  option forwardfor',
  '  option clitcpka',
  // A process that is replaced answers once more on a kept connection, instead of closing it under a request.
  '  option idle-close-on-response',
  // A lost machine closes no connection: only its silence shows it.
  '  option srvtcpka',
  '  srvtcpka-idle 2s',
  '  srvtcpka-intvl 1s',
  '  srvtcpka-cnt 2',
  '  retries 4',
  '  option redispatch 1',
  '  retry-on conn-failure empty-response',
  '  default-server check inter 400ms fastinter 100ms fall 2 rise 1 observe layer4 error-limit 3 on-error fastinter',
];

/** Words of a line of the configuration, of which HAProxy takes 64. */
const mostWords = 50;

function linesOf(words: readonly string[]): string[][] {
  const lines = Array.from({ length: Math.ceil(words.length / mostWords) }, (_, index) => index * mostWords);
  return lines.map((from) => words.slice(from, from + mostWords));
}

function section({ address, servers, trusted = [] }: LoadBalancerTarget, port: number): string[] {
  const here = backendsAt(servers, port);
  const lines = here.map((server, index) => `  server slot-${index + 1} ${server.address}:${port} ${ackTimeout}`);
  return [
    `listen ${sectionOf(port)}`,
    `  bind ${address}:${port}`,
    ...linesOf(trusted).map((some) => `  acl trusted src ${some.join(' ')}`),
    // The machines trust the load balancer about the client, so what a client itself says is dropped here.
    ...['x-forwarded- -m beg', 'forwarded', 'x-real-ip'].map(
      (claim) => `  http-request del-header ${claim}${trusted.length > 0 ? ' unless trusted' : ''}`,
    ),
    // A request that may have had an effect is not sent twice.
    '  http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    ...lines,
    `  server-template slot- ${here.length + 1}-${slots} 127.0.0.1:9 ${ackTimeout} disabled`,
  ];
}
