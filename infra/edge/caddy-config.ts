/**
 * Returns Caddy's configuration for a host's edge: one server per published port. Where a port sends to is read from
 * a file at every request, so a switch of releases is a rename and never a reload (a reload loses connections). A
 * failing release is covered by the fallback: a request that finds no answer is tried again on it, which is the
 * earlier release while a switch is unconfirmed. One lost connection is no failing release, and repeating too often
 * would keep a busy host busy: waiting requests then cost more than answering them. The environment's load balancer
 * is believed who asked; nobody else is.
 */
export function caddyConfig(ports: readonly number[], trustedProxy?: string): string {
  const servers = Object.fromEntries(
    ports.map((port) => [
      `port-${port}`,
      {
        listen: [`:${port}`],
        automatic_https: { disable: true },
        routes: [{ handle: [attempt(port, trustedProxy, looks)] }],
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

/** Times that a request that finds no answer looks where to go: a switch helps also who came before it. */
const looks = 4;
/** Time for which it asks there. */
const patience = '2s';

/** An error of a connection that was not made: nobody has got anything of the request. */
const notConnected = { vars_regexp: { '{http.error.message}': { pattern: '^dial ' } } };
const giveUp = {
  handle: [{ handler: 'error', status_code: '{http.error.status_code}', error: '{http.error.message}' }],
};

function attempt(port: number, trustedProxy: string | undefined, left: number): object {
  const again =
    left > 1 ? [{ match: [notConnected], handle: [attempt(port, trustedProxy, left - 1)], terminal: true }] : [];
  const fallback = {
    handler: 'subroute',
    routes: [{ handle: [proxy(port, 2, patience, trustedProxy)] }],
    errors: { routes: [...again, giveUp] },
  };
  return {
    handler: 'subroute',
    routes: [...targets(port), { handle: [proxy(port, 1, '1ns', trustedProxy)] }],
    // As every browser does, a GET is repeated also where the connection ended: once, so that a page at which a process
    // ends does not end all of them.
    errors: { routes: [{ match: [{ method: ['GET'] }, notConnected], handle: [fallback], terminal: true }, giveUp] },
  };
}

/** The first and the second target of a port, as groups 1 and 2 of a name that no other port has. */
function targets(port: number): object[] {
  const name = { root: `/live/now/to/${port}`, try_files: ['/*'], try_policy: 'first_exist_fallback' };
  const both = { '{http.matchers.file.relative}': { name: `port${port}`, pattern: '^/(.+),(.+)$' } };
  // Matchers of one route have no order.
  return [{ match: [{ file: name }] }, { match: [{ vars_regexp: both }] }];
}

function proxy(port: number, target: 1 | 2, time: string, trustedProxy: string | undefined): object {
  return {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `{http.regexp.port${port}.${target}}` }],
    // With nothing to match, only what found no connection is tried again.
    load_balancing: { try_duration: time, try_interval: '100ms', retry_match: [{ not: [{}] }] },
    ...(trustedProxy === undefined ? {} : { trusted_proxies: [trustedProxy] }),
    transport: {
      protocol: 'http',
      dial_timeout: '3s',
      // Less than applications keep a connection that nobody uses (gunicorn: 2 s): what is sent when it closes one is lost.
      keep_alive: { idle_timeout: '1500ms', max_idle_conns_per_host: 256 },
    },
  };
}
