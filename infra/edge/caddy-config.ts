/**
 * Caddy's configuration for a host's edge: one server per published port. Where a port sends to is read from a file at
 * every request, so a switch of releases is a rename and never a reload (a reload loses connections).
 * A failing release is covered by the fallback: a request that finds no answer is tried again on it, which is the
 * earlier release while a switch is unconfirmed. One lost connection is no failing release, and repeating too often would
 * keep a busy host busy: waiting requests then cost more than answering them.
 * The environment's load balancer is believed who asked; nobody else is.
 */
export function caddyConfig(ports: readonly number[], trustedProxy?: string): string {
  const servers = Object.fromEntries(
    ports.map((port) => [
      `port-${port}`,
      {
        listen: [`:${port}`],
        automatic_https: { disable: true },
        routes: [{ handle: [proxy(port, trustedProxy)] }],
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

function proxy(port: number, trustedProxy: string | undefined) {
  return {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `{file./live/now/${port}}` }, { dial: `{file./live/now/${port}.fallback}` }],
    load_balancing: { selection_policy: { policy: 'first' }, try_duration: '8s', try_interval: '100ms' },
    ...(trustedProxy === undefined ? {} : { trusted_proxies: [trustedProxy] }),
    health_checks: { passive: { fail_duration: '500ms', max_fails: 3 } },
    transport: {
      protocol: 'http',
      dial_timeout: '3s',
      keep_alive: { idle_timeout: '20s', max_idle_conns_per_host: 256 },
    },
  };
}
