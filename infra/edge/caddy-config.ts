/**
 * Returns Caddy's configuration for a host's edge: one server per published port. Where a port sends to is a file's name,
 * looked up at every request, so a switch of releases is a rename and never a reload (a reload loses connections). What Caddy reads
 * from a file instead goes through a buffer of 1 MiB at each request, which costs four times the request itself.
 * A failing release is covered by the fallback, which is the earlier release while a switch is unconfirmed. Each request
 * finds that out for itself: what was counted for all of them would let one page, or one role, take others with it.
 * Each port has its share of the requests that may be under way; what comes beyond it is refused at once, as waiting costs
 * more than answering, and keeps a busy host busy.
 */
export function caddyConfig(ports: readonly number[], settings: EdgeConfig = {}): string {
  const servers = Object.fromEntries(
    ports.map((port) => [
      `port-${port}`,
      {
        listen: [`:${port}`],
        automatic_https: { disable: true },
        routes: [{ handle: [attempt(port, shareOf(settings, ports.length), looks)] }],
      },
    ]),
  );
  return JSON.stringify({
    admin: { disabled: true, config: { persist: false } },
    logging: { logs: { default: { level: 'ERROR' } } },
    storage: { module: 'file_system', root: '/live/caddy' },
    apps: { http: { grace_period: '30s', servers } },
  });
}

/** What may be set for an edge. */
export interface EdgeConfig {
  /** addresses and networks that are believed who asked; nobody else is */
  readonly trustedProxies?: readonly string[];
  /** requests under way, over all ports; absent: no limit */
  readonly connections?: number;
}

function shareOf({ connections, ...settings }: EdgeConfig, ports: number): EdgeConfig {
  return connections === undefined ? settings : { ...settings, connections: Math.ceil(connections / ports) };
}

/** Times that a request that finds no answer looks where to go: a switch helps also who came before it. */
const looks = 4;
/** Time for which it asks there. */
const patience = '2s';

/** An error of a connection that was not made: nobody has got anything of the request. */
const notConnected = { vars_regexp: { '{http.error.message}': { pattern: '^dial ' } } };
const refuse = {
  match: [{ vars_regexp: { '{http.error.message}': { pattern: '^no upstreams available' } } }],
  handle: [{ handler: 'static_response', status_code: 503, headers: { 'Retry-After': ['1'] } }],
  terminal: true,
};
const giveUp = {
  handle: [{ handler: 'error', status_code: '{http.error.status_code}', error: '{http.error.message}' }],
};

function attempt(port: number, settings: EdgeConfig, left: number): object {
  const again =
    left > 1 ? [{ match: [notConnected], handle: [attempt(port, settings, left - 1)], terminal: true }] : [];
  const fallback = {
    handler: 'subroute',
    routes: [{ handle: [proxy({ port, target: 2, time: patience }, settings)] }],
    errors: { routes: [...again, refuse, giveUp] },
  };
  return {
    handler: 'subroute',
    routes: [...targets(port), { handle: [proxy({ port, target: 1, time: '1ns' }, settings)] }],
    // As every browser does, a GET is repeated also where the connection ended: once, so that a page at which a process
    // ends does not end all of them.
    errors: {
      routes: [refuse, { match: [{ method: ['GET'] }, notConnected], handle: [fallback], terminal: true }, giveUp],
    },
  };
}

/** The first and the second target of a port, as groups 1 and 2 of a name that no other port has. */
function targets(port: number): object[] {
  const name = { root: `/live/now/to/${port}`, try_files: ['/*'], try_policy: 'first_exist_fallback' };
  const both = { '{http.matchers.file.relative}': { name: `port${port}`, pattern: '^/(.+),(.+)$' } };
  // Matchers of one route have no order.
  return [{ match: [{ file: name }] }, { match: [{ vars_regexp: both }] }];
}

function proxy(to: { port: number; target: 1 | 2; time: string }, settings: EdgeConfig): object {
  const { trustedProxies = [], connections } = settings;
  const limit = connections === undefined ? {} : { max_requests: connections };
  return {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `{http.regexp.port${to.port}.${to.target}}`, ...limit }],
    // With nothing to match, only what found no connection is tried again.
    load_balancing: { try_duration: to.time, try_interval: '100ms', retry_match: [{ not: [{}] }] },
    ...(trustedProxies.length === 0 ? {} : { trusted_proxies: trustedProxies }),
    transport: {
      protocol: 'http',
      dial_timeout: '3s',
      // Less than applications keep a connection that nobody uses (gunicorn: 2 s): what is sent when it closes one is lost.
      keep_alive: { idle_timeout: '1500ms', max_idle_conns_per_host: 256 },
    },
  };
}
