/** HAProxy's configuration for the one address of an environment's machines. Which machines is changed while it runs. */
import type { Backend } from '../../resources/inputs.ts';
import { fingerprint } from '../../../pipelines/model/fingerprint.ts';

/** What a load balancer listens on, and where that leads. */
export interface LoadBalancerTarget {
  readonly address: string;
  readonly ports: readonly number[];
  readonly servers: readonly Backend[];
}

/** Places for machines at each port: the old and the new set of the largest environment, and what leaves yet. */
const slots = 150;

/** How long a machine may not acknowledge what it was sent. HAProxy ignores it among the defaults of servers. */
const deaf = 'tcp-ut 4s';

/** The machines that serve a port. */
export function backendsAt(servers: readonly Backend[], port: number): readonly Backend[] {
  return servers.filter(({ ports }) => ports?.includes(port) ?? true);
}

/** The name of a port's section. */
export function sectionOf(port: number): string {
  return `port-${port}`;
}

/** The socket that commands come in by, in the load balancer's folder. */
export const adminSocket = 'admin.sock';

/** Hash of all but the machines: a load balancer with another one has to be started anew to become like this. */
export function shapeOf(target: LoadBalancerTarget, user?: string): string {
  return fingerprint(configText({ ...target, servers: [] }, '', user));
}

/** The configuration. As `user` it goes on once it listens; without, it stays what it was started as. */
export function haproxyConfig(target: LoadBalancerTarget, user?: string): string {
  return configText(target, shapeOf(target, user), user);
}

function configText(target: LoadBalancerTarget, shape: string, user: string | undefined): string {
  return `${[...global(target.address, shape, user), ...defaults, ...target.ports.flatMap((port) => section(target, port))].join('\n')}\n`;
}

function global(address: string, shape: string, user: string | undefined): string[] {
  return [
    'global',
    // How a running load balancer says what it was started with.
    `  description ${address} shape-${shape}`,
    '  maxconn 8192',
    // Else two load balancers could share a port, each with half of the requests.
    '  noreuseport',
    // A replaced process goes once its last request is answered, and then at the latest.
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
  // How long an answer may take is for the application to say.
  '  timeout client 1h',
  '  timeout server 1h',
  '  timeout tunnel 24h',
  '  option forwardfor',
  '  option clitcpka',
  // A process that is replaced answers once more on a kept connection, instead of closing it under a request.
  '  option idle-close-on-response',
  // A machine that is gone closes no connection: silence has to tell.
  '  option srvtcpka',
  '  srvtcpka-idle 2s',
  '  srvtcpka-intvl 1s',
  '  srvtcpka-cnt 2',
  '  retries 4',
  '  option redispatch 1',
  '  retry-on conn-failure empty-response',
  '  default-server check inter 400ms fastinter 100ms fall 2 rise 1 observe layer4 error-limit 3 on-error fastinter',
];

function section({ address, servers }: LoadBalancerTarget, port: number): string[] {
  const here = backendsAt(servers, port);
  const lines = here.map((server, index) => `  server slot-${index + 1} ${server.address}:${port} ${deaf}`);
  return [
    `listen ${sectionOf(port)}`,
    `  bind ${address}:${port}`,
    // The machines believe the load balancer who asked, so what a client says of itself ends here.
    '  http-request del-header x-forwarded- -m beg',
    // What may have had an effect is not sent twice.
    '  http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    ...lines,
    `  server-template slot- ${here.length + 1}-${slots} 127.0.0.1:9 ${deaf} disabled`,
  ];
}
