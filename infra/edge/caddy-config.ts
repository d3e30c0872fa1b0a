/**
 * Returns Caddy's configuration for a host's edge: one server per published port. Where a port sends to is a file's name,
 * looked up at every request, so a switch of releases is a rename and never a reload (a reload loses connections). What Caddy reads
 * from a file instead goes through a buffer of 1 MiB at each request, which costs four times the request itself.
 * A failing release is covered by the fallback, which is the earlier release while a switch is unconfirmed. Each request
 * finds that out for itself: what was counted for all of them would let one page, or one role, take others with it.
 * Each port has its share of the requests that may be under way; what comes beyond it is refused at once, as waiting costs
 * more than answering, and keeps a busy host busy.
 * Where a name leads to several containers, each request goes to the one that has the fewest under way. By name alone, kept
 * connections to whoever answered first would get nearly all.
 */
export function caddyConfig(ports: readonly number[], settings: EdgeConfig = {}): string {
  const share = shareOf(settings, ports.length);
  const servers = Object.fromEntries(
    ports.map((port) => [
      `port-${port}`,
      {
        listen: [`:${port}`],
        automatic_https: { disable: true },
        named_routes: { [several]: { handle: [{ handler: 'subroute', routes: spread(port, share) }] } },
        routes: [unsaid(settings), { handle: [attempt(port, share, looks)] }],
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

/**
 * What applications read of who asked, and how. Caddy replaces what a stranger says in three of these, and would pass the others on:
 * some frameworks believe `Forwarded` before any of the three.
 */
const claims = ['Forwarded', 'X-Forwarded-*', 'X-Real-Ip'];

/** Takes the claims of strangers away. */
function unsaid({ trustedProxies = [] }: EdgeConfig): object {
  const strangers = [{ not: [{ remote_ip: { ranges: trustedProxies } }] }];
  return {
    ...(trustedProxies.length === 0 ? {} : { match: strangers }),
    handle: [{ handler: 'headers', request: { delete: claims } }],
  };
}

/** Times that a request that finds no answer looks where to go: a switch helps also who came before it. */
const looks = 4;
/** Time for which it asks there. */
const patience = '2s';

/** An error of a connection that was not made: nobody has got anything of the request. */
const notConnected = { vars_regexp: { '{http.error.message}': { pattern: '^dial ' } } };
/** One for which there is no room, as its port has its share under way. */
const refuse = {
  match: [{ vars_regexp: { '{http.error.message}': { pattern: '^no upstreams available' } } }],
  handle: [refusal({})],
  terminal: true,
};
/**
 * One for which no connection more can be made, nor its target be looked up, as visitors have all that the edge may have. It
 * gives its own back, or they would have them for as long as they like.
 */
const refuseAndClose = {
  match: [{ vars_regexp: { '{http.error.message}': { pattern: 'too many open files$|^dial tcp :0:' } } }],
  handle: [refusal({ close: true })],
  terminal: true,
};

function refusal(more: { close?: true }): object {
  return { handler: 'static_response', status_code: 503, headers: { 'Retry-After': ['1'] }, ...more };
}

const giveUp = {
  handle: [{ handler: 'error', status_code: '{http.error.status_code}', error: '{http.error.message}' }],
};

function attempt(port: number, settings: EdgeConfig, left: number): object {
  const again =
    left > 1 ? [{ match: [notConnected], handle: [attempt(port, settings, left - 1)], terminal: true }] : [];
  const fallback = {
    handler: 'subroute',
    routes: [{ handle: [proxy({ port, target: 'second', time: patience }, settings)] }],
    errors: { routes: [refuse, refuseAndClose, ...again, giveUp] },
  };
  return {
    handler: 'subroute',
    routes: [
      ...targets(port),
      { match: [{ vars_regexp: { [among(port)]: { pattern: '.' } } }], handle: [{ handler: 'invoke', name: several }] },
      { handle: [proxy({ port, target: 'first', time: '1ns' }, settings)] },
    ],
    // As every browser does, a GET is repeated also where the connection ended: once, so that a page at which a process
    // ends does not end all of them.
    errors: {
      routes: [
        ...[refuse, refuseAndClose],
        { match: [{ method: ['GET'] }, notConnected], handle: [fallback], terminal: true },
        giveUp,
      ],
    },
  };
}

/**
 * The first and the second target of a port, and how many containers the first one has if they are several, as parts of a
 * name that no other port has.
 */
function targets(port: number): object[] {
  const name = { root: `/live/now/to/${port}`, try_files: ['/*'], try_policy: 'first_exist_fallback' };
  const pattern = '^/(([^,]+):([^:,]+)),([^,]+)(?:,([0-9]+))?$';
  const parts = { '{http.matchers.file.relative}': { name: `port${port}`, pattern } };
  // Matchers of one route have no order.
  return [{ match: [{ file: name }] }, { match: [{ vars_regexp: parts }] }];
}

/** The parts of that name. */
const part = { first: 1, host: 2, port: 3, second: 4, among: 5 } as const;

function partOf(port: number, name: keyof typeof part): string {
  return `{http.regexp.port${port}.${part[name]}}`;
}

function among(port: number): string {
  return partOf(port, 'among');
}

/** The route for a name that leads to several containers. */
const several = 'several';
/** The numbers of containers that limits are made for; more than the last have each as much as that allows. */
const sizes = [2, 3, 4, 6, 8, 12, 16, 32];

/** One route for each number of containers, as the limit of each of them is written in the configuration. */
function spread(port: number, settings: EdgeConfig): object[] {
  return sizes.map((size, index) => {
    const numbers = Array.from({ length: size - (sizes[index - 1] ?? 1) }, (_, less) => String(size - less));
    const isLast = index === sizes.length - 1;
    return {
      ...(isLast ? {} : { match: [{ vars: { [among(port)]: numbers } }] }),
      handle: [spreadProxy(port, { size, settings })],
      terminal: true,
    };
  });
}

/** Asks for the containers of a name once a second, and for all of them again where one does not take the request. */
function spreadProxy(port: number, { size, settings }: { size: number; settings: EdgeConfig }): object {
  const { connections } = settings;
  const most = connections === undefined ? {} : { unhealthy_request_count: Math.ceil(connections / size) };
  return {
    ...proxyBase(settings, '1s'),
    dynamic_upstreams: {
      ...{ source: 'a', name: partOf(port, 'host'), port: partOf(port, 'port') },
      ...{ refresh: '1s', versions: { ipv4: true } },
    },
    // For a name that leads nowhere: what it is asked for finds no connection.
    upstreams: [{ dial: partOf(port, 'first') }],
    health_checks: { passive: most },
    load_balancing: { selection_policy: { policy: 'least_conn' }, retries: 2, ...onlyUnconnected },
  };
}

function proxy(to: { port: number; target: 'first' | 'second'; time: string }, settings: EdgeConfig): object {
  const { connections } = settings;
  const limit = connections === undefined ? {} : { max_requests: connections };
  return {
    ...proxyBase(settings, '3s'),
    upstreams: [{ dial: partOf(to.port, to.target), ...limit }],
    load_balancing: { try_duration: to.time, try_interval: '100ms', ...onlyUnconnected },
  };
}

/** With nothing to match, only what found no connection is tried again. */
const onlyUnconnected = { retry_match: [{ not: [{}] }] };

function proxyBase({ trustedProxies = [] }: EdgeConfig, dialTimeout: string): object {
  return {
    handler: 'reverse_proxy',
    ...(trustedProxies.length === 0 ? {} : { trusted_proxies: trustedProxies }),
    transport: {
      protocol: 'http',
      dial_timeout: dialTimeout,
      // Less than applications keep a connection that nobody uses (gunicorn: 2 s): what is sent when it closes one is lost.
      keep_alive: { idle_timeout: '1500ms', max_idle_conns_per_host: 4096 },
    },
  };
}
