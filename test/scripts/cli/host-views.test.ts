import { expect, test } from 'vitest';
import type { HostFacts } from '../../../infra/hosts/facts.ts';
import { traitsOf } from '../../../pipelines/hosts/parity.ts';
import { hostCheckLines, type CheckedEnvironment } from '../../../scripts/cli/views/host-check.ts';
import { loadBalancerListLines, hostListLines } from '../../../scripts/cli/views/hosts.ts';

test('hosts in aligned columns, each environment named once', () => {
  const place = { environment: 'prod', address: 'a.example.com' };
  const lines = hostListLines([
    { ...place, name: 'a', url: 'ssh://root@a', state: 'ready', engine: '20.10.24', platform: 'linux/amd64' },
    { ...place, name: 'b', url: 'ssh://root@b', jump: 'gate', state: 'not reachable', error: 'connection refused' },
  ]);
  expect(lines).toEqual([
    'environment  host  reached by                 engine    platform     state',
    'prod         a     ssh://root@a               20.10.24  linux/amd64  ready',
    '             b     ssh://root@b through gate  -         -            not reachable: connection refused',
  ]);
});

test('the one address of an environment, and which of its machines answer', () => {
  const front = { environment: 'prod', address: '10.71.3.1', urls: ['http://10.71.3.1:8000'] };
  const servers = [
    { name: 'prod-1', healthy: true },
    { name: 'prod-2', healthy: false },
  ];
  expect(
    loadBalancerListLines([
      { ...front, state: 'running', servers },
      { ...front, state: 'running', servers: [] },
      { ...front, state: 'stopped', servers },
    ]),
  ).toEqual([
    'prod  load balancer http://10.71.3.1:8000 → prod-1, prod-2 (does not answer)',
    'prod  load balancer http://10.71.3.1:8000 → no machine',
    'prod  load balancer http://10.71.3.1:8000  does not run',
  ]);
});

const facts = (host: string, changes: Partial<HostFacts> = {}): HostFacts => ({
  host,
  engine: '20.10.24',
  api: '1.41',
  platform: 'linux/amd64',
  kernel: '6.1.0',
  traits: traitsOf({ architecture: 'amd64', kernel: '6.1.0', engine: '20.10.24', os: 'Debian 12', cgroup: '2' }),
  cpus: 4,
  memory: { total: 8e9, available: 5e9 },
  disk: { free: 68e9, total: 252e9 },
  dataFolder: '/var/lib/docker',
  clock: { ahead: 1, precision: 3 },
  images: { present: ['1.1.0', '1.0.0'], missing: ['0.9.0'], bytes: 410e6 },
  ...changes,
});

test('what is known of hosts, what is not, and in what they differ', () => {
  const poor = facts('prod-2', {
    traits: {},
    memory: { total: 8e9 },
    clock: { ahead: -2500, precision: 40 },
    images: { present: [], missing: [] },
  });
  const { disk: _, ...unseen } = poor;
  const prod: CheckedEnvironment = {
    name: 'prod',
    hosts: [
      { name: 'prod-1', facts: facts('prod-1') },
      { name: 'prod-2', facts: unseen },
      { name: 'prod-3', error: 'does not answer within 15 s' },
    ],
    cordoned: ['prod-4'],
    differences: [
      {
        trait: 'storage',
        values: [
          { value: 'overlay2', environment: 'prod', hosts: ['prod-1'] },
          { value: 'unknown', environment: 'prod', hosts: ['prod-2'] },
        ],
      },
    ],
    before: [{ environment: 'qa', differences: [], silent: ['qa-2'] }],
    demanded: ['storage'],
  };
  expect(hostCheckLines([prod])).toEqual([
    'prod',
    '  ✓ prod-1',
    '      machine  linux/amd64, Debian 12, kernel 6.1.0, 4 CPUs',
    '      memory   5.0 GB of 8.0 GB available',
    '      disk     68 GB of 252 GB free in /var/lib/docker',
    '      engine   Docker 20.10.24 (API 1.41), storage unknown, cgroup v2',
    '      clock    as here (± 3 ms)',
    '      images   has 1.1.0, 1.0.0; has not 0.9.0; all images: 410 MB',
    '  ✓ prod-2',
    '      machine  linux/amd64, system unknown, kernel 6.1.0, 4 CPUs',
    '      memory   8.0 GB; available: unknown',
    '      disk     /var/lib/docker: unknown until an edge proxy runs there',
    '      engine   Docker 20.10.24 (API 1.41), storage unknown, cgroup version unknown',
    '      clock    2.5 s behind (± 40 ms)',
    '      images   no release is retained; all images: unknown',
    '  ✗ prod-3  does not answer within 15 s',
    '  - prod-4  cordoned',
    '  its hosts are not alike',
    '      ✗ storage: overlay2 on prod-1; unknown on prod-2',
    '  compared with qa: alike, without qa-2, which does not answer',
    '  1 of 3 hosts of prod did not answer: prod-3',
  ]);
});
