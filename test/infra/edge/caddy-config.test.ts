import { expect, test } from 'vitest';
import { caddyConfig } from '../../../infra/edge/caddy-config.ts';
import { trustedProxy } from '../../../infra/edge/published-ports.ts';
import { environment, host } from '../../pipelines/model/values.ts';

const machine = { ...host('prod-1'), address: '10.71.3.11' };
const machines = { kind: 'lxc', count: 1, memory: 1, cpus: 1 } as const;

test('an edge believes the load balancer of its environment who asked, and nobody else', () => {
  expect(caddyConfig([80])).not.toContain('trusted_proxies');
  expect(caddyConfig([80], { trustedProxies: ['10.71.3.1'] })).toContain('"trusted_proxies":["10.71.3.1"]');
});

test('the load balancer of a machine is on the computer that runs it; other hosts have none', () => {
  expect(trustedProxy(environment({ machines }), machine)).toBe('10.71.3.1');
  expect(trustedProxy(environment({}), machine)).toBeUndefined();
});

test.each([
  ['nobody is trusted', [], undefined],
  ['a proxy is', ['10.0.0.5', '10.1.0.0/16'], [{ not: [{ remote_ip: { ranges: ['10.0.0.5', '10.1.0.0/16'] } }] }]],
])(
  'an edge forgets what strangers say of themselves, before anything else, where %s',
  (_what, trustedProxies, match) => {
    const { apps } = JSON.parse(caddyConfig([80, 8000], { trustedProxies })) as Caddy;
    for (const { routes } of Object.values(apps.http.servers)) {
      const [first] = routes;
      expect(first).toEqual({
        ...(match ? { match } : {}),
        handle: [{ handler: 'headers', request: { delete: ['Forwarded', 'X-Forwarded-*', 'X-Real-Ip'] } }],
      });
    }
  },
);

interface Caddy {
  readonly apps: {
    readonly http: { readonly servers: Readonly<Record<string, { readonly routes: readonly unknown[] }>> };
  };
}
