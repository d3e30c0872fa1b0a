import { expect, test } from 'vitest';
import { openPorts } from '../../../infra/edge/published-ports.ts';
import { environment, host, placed, role, spec } from '../../pipelines/model/values.ts';

const web = { name: 'web', hosts: ['prod-1', 'prod-2'], route: { publish: 9000, port: 8080 } };
const prod = environment({ hosts: [host('prod-1'), host('prod-2')], roles: [role(web)] });
const swarm = { kind: 'swarm' as const, name: 'prod', managers: [host('prod-1'), host('prod-2')] };

test.each([
  ['nothing else is there', [], {}, { 'prod-1': [9000], 'prod-2': [9000] }],
  ['a container serves at another one', [placed('web-1.0.0')], {}, { 'prod-1': [80, 9000], 'prod-2': [9000] }],
  ['a container has no traffic', [placed('worker-1.0.0')], {}, { 'prod-1': [9000], 'prod-2': [9000] }],
  [
    'a service is behind all managers',
    [{ host: swarm, spec: spec('web-1.0.0') }],
    {},
    { 'prod-1': [80, 9000], 'prod-2': [80, 9000] },
  ],
  ['one is not to be closed yet', [], { 'prod-2': [8000, 9000] }, { 'prod-1': [9000], 'prod-2': [8000, 9000] }],
])(
  'the public ports of hosts are those that are configured, and those that are needed still: %s',
  (_, there, besides, ports) => {
    expect(openPorts(prod, there, besides)).toEqual(ports);
  },
);
