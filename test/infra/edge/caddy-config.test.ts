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
