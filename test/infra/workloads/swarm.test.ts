import { describe, expect, test } from 'vitest';
import type { ServiceDetails, ServiceSpec, SwarmTask } from '../../../infra/docker/api/types.ts';
import { platformOf, quorumLoss, refuseWithoutNodes } from '../../../infra/workloads/swarm/report.ts';
import { secretName, serviceSpec } from '../../../infra/workloads/swarm/service-spec.ts';
import { changesByHand, serviceState } from '../../../infra/workloads/swarm/service-state.ts';
import { swarmDrift } from '../../../infra/workloads/swarm/swarm-drift.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import { checkPlatform } from '../../../pipelines/policy/release-checks.ts';
import { host, record, release, revision, spec } from '../../pipelines/model/values.ts';
import { answeringEngine } from '../../support/answering-engine.ts';

const place = { app: 'shop', environment: 'prod' };
const web = spec('web-1.0.0', 'swarm', {
  replicas: 2,
  env: { GREETING: 'hello {{name}}', LOCKAGE_HOST: 'swarm' },
  secrets: { TOKEN: '01234567' },
});
const asked = serviceSpec(place, web, { TOKEN: 'id-of-token' });

/** As an engine gives it back: what is empty left out, names of networks as ids, fields of its own added. */
function service(change: (spec: Mutable) => void = () => undefined): ServiceDetails {
  const copy = structuredClone(asked) as unknown as Mutable;
  const { TaskTemplate: template } = copy;
  template.ContainerSpec.Isolation = 'default';
  template.Runtime = 'container';
  template.ContainerSpec.DNSConfig = {};
  template.Resources.Reservations = {};
  template.Networks = [{ Target: 'zjqob5gon70c' }];
  delete template.Placement;
  delete template.ForceUpdate;
  delete template.ContainerSpec.Command;
  delete copy.EndpointSpec.Ports;
  change(copy);
  return { ID: 's1', Version: { Index: 7 }, CreatedAt: '', Spec: copy as unknown as ServiceSpec };
}

// oxlint-disable-next-line typescript/no-explicit-any -- the parts of a service are an engine's own free form
type Free = any;
type Mutable = Record<'TaskTemplate' | 'EndpointSpec' | 'Mode', Free>;

const task = (ID: string, changes: Partial<SwarmTask> = {}): SwarmTask => ({
  ID,
  ServiceID: 's1',
  DesiredState: 'running',
  Spec: { ContainerSpec: { Image: web.image } },
  Status: { State: 'running', Timestamp: '2026-01-01T00:00:00Z' },
  ...changes,
});

describe('what is asked of a swarm', () => {
  const { ContainerSpec: container, ...template } = asked.TaskTemplate as Record<string, Free>;

  test('is closed in as a container on a host is', () => {
    expect(container).toMatchObject({
      Image: web.image,
      Init: true,
      ReadOnly: true,
      CapabilityDrop: ['ALL'],
      Ulimits: [
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'nofile', Soft: 1024, Hard: 1024 },
      ],
      StopGracePeriod: 10e9,
      Healthcheck: { Test: ['NONE'] },
    });
    expect(template['Resources']).toEqual({ Limits: { MemoryBytes: 256, NanoCPUs: 1e9, Pids: 100 } });
    expect(template['LogDriver']).toEqual({ Name: 'json-file', Options: { 'max-size': '1000', 'max-file': '3' } });
    expect(asked.EndpointSpec).toEqual({ Mode: 'dnsrr', Ports: [] });
  });

  test('has the init, the shared memory and the log driver that are configured', () => {
    const log = { driver: 'journald', options: { tag: 'shop' } };
    const { cpus: _, ...limits } = web.limits;
    const own = spec('web-1.0.0', 'swarm', { init: false, log, limits: { ...limits, shmSize: 2 ** 27 } });
    const made = serviceSpec(place, own).TaskTemplate as Record<string, Free>;
    expect(made['ContainerSpec']).toMatchObject({
      Init: false,
      Mounts: [{ Type: 'tmpfs', Target: '/dev/shm', TmpfsOptions: { SizeBytes: 2 ** 27 } }],
    });
    expect(made['LogDriver']).toEqual({ Name: 'journald', Options: { tag: 'shop' } });
    expect(made['Resources']).toEqual({ Limits: { MemoryBytes: 256, Pids: 100 } });
  });

  test('has the limits of processes, names and stop signal that are configured', () => {
    const own = spec('web-1.0.0', 'swarm', {
      limits: { ...web.limits, ulimits: { memlock: { soft: -1, hard: -1 } } },
      extraHosts: { mail: '10.0.0.9' },
      dns: { servers: ['10.0.0.2'], search: ['corp.example'] },
      stopSignal: 'SIGQUIT',
    });
    expect((serviceSpec(place, own).TaskTemplate as Record<string, Free>)['ContainerSpec']).toMatchObject({
      Ulimits: expect.arrayContaining([{ Name: 'memlock', Soft: -1, Hard: -1 }]),
      Hosts: ['10.0.0.9 mail'],
      DNSConfig: { Nameservers: ['10.0.0.2'], Search: ['corp.example'], Options: [] },
      StopSignal: 'SIGQUIT',
    });
  });

  test('a variable means what it says, and the node is named', () => {
    expect(container.Env).toEqual(['GREETING=hello {{"{{"}}name}}', 'LOCKAGE_HOST={{.Node.Hostname}}']);
  });

  test('a secret is named by its version and mounted by its name', () => {
    expect(container.Secrets).toEqual([
      {
        File: { Name: 'TOKEN', UID: '0', GID: '0', Mode: 0o444 },
        SecretName: 'shop-prod-TOKEN-01234567',
        SecretID: 'id-of-token',
      },
    ]);
    const long = secretName({ app: 'a'.repeat(40), environment: 'prod' }, 'A_RATHER_LONG_NAME', '01234567');
    expect(long).toHaveLength(64);
    expect(long).not.toBe(secretName({ app: 'a'.repeat(40), environment: 'prod' }, 'A_RATHER_LONG_NAME', '01234568'));
  });

  test('a command is given to the engines of the nodes, which ask it not too often', () => {
    const check = { kind: 'command', command: ['true'] } as const;
    const job = spec('job-1.0.0', 'swarm', { health: { check, interval: 100, healthy: 3, timeout: 10_000 } });
    const { ContainerSpec } = serviceSpec(place, job).TaskTemplate as Record<string, Free>;
    expect(ContainerSpec.Healthcheck).toEqual({ Test: ['CMD', 'true'], Interval: 3e9, Timeout: 10e9, Retries: 4 });
  });
});

describe('a service', () => {
  const two = [task('b'), task('a')];

  test('that is as asked, whatever the engine adds or leaves out', () => {
    expect(changesByHand(service())).toEqual([]);
    expect(serviceState(service(), two)).toEqual({
      word: 'running',
      tasks: ['a', 'b'],
      since: '2026-01-01T00:00:00Z',
    });
  });

  test.each<[string, (spec: Mutable) => void, string]>([
    ['another image', ({ TaskTemplate }) => (TaskTemplate.ContainerSpec.Image = 'other'), 'Image'],
    ['one more variable', ({ TaskTemplate }) => TaskTemplate.ContainerSpec.Env.push('A=1'), 'Env'],
    ['another command', ({ TaskTemplate }) => (TaskTemplate.ContainerSpec.Args = ['sh']), 'Args'],
    ['an entrypoint', ({ TaskTemplate }) => (TaskTemplate.ContainerSpec.Command = ['sh']), 'Command'],
    ['no secret', ({ TaskTemplate }) => delete TaskTemplate.ContainerSpec.Secrets, 'Secrets'],
    ['another limit', ({ TaskTemplate }) => (TaskTemplate.Resources.Limits.Pids = 7), 'Resources.Limits.Pids'],
    ['a forced update', ({ TaskTemplate }) => (TaskTemplate.ForceUpdate = 1), 'ForceUpdate'],
    [
      'a constraint',
      ({ TaskTemplate }) => (TaskTemplate.Placement = { Constraints: ['a==b'] }),
      'Placement.Constraints',
    ],
    ['a name of a host', ({ TaskTemplate }) => (TaskTemplate.ContainerSpec.Hosts = ['10.0.0.9 db']), 'Hosts'],
    ['a setting of the kernel', ({ TaskTemplate }) => (TaskTemplate.ContainerSpec.Sysctls = { a: '1' }), 'Sysctls'],
    [
      'memory that is kept for it',
      ({ TaskTemplate }) => (TaskTemplate.Resources.Reservations = { MemoryBytes: 7 }),
      'Resources.Reservations',
    ],
    ['one more network', ({ TaskTemplate }) => TaskTemplate.Networks.push({ Target: 'x' }), 'Networks'],
    ['a published port', ({ EndpointSpec }) => (EndpointSpec.Ports = [{ TargetPort: 80 }]), 'EndpointSpec.Ports'],
  ])('that was changed by hand: %s', (_what, change, field) => {
    expect(serviceState(service(change), two).word).toBe(`changed by hand: ${field}`);
  });

  test('that was scaled by hand, rests, or does not run in full', () => {
    const scaled = (count: number) => service(({ Mode }) => (Mode.Replicated.Replicas = count));
    expect(serviceState(scaled(5), two).word).toBe('scaled by hand from 2 to 5');
    expect(serviceState(scaled(0), []).word).toBe('resting');
    expect(serviceState(service(), [task('a')]).word).toBe('1 of 2 running');
    expect(serviceState(service(), [task('a'), task('b', { DesiredState: 'shutdown' })]).word).toBe('1 of 2 running');
    expect(serviceState(service(), [task('a'), task('b', { ServiceID: 's2' })]).word).toBe('1 of 2 running');
    const old = task('b', { Spec: { ContainerSpec: { Image: 'other' } } });
    expect(serviceState(service(), [task('a'), old]).word).toBe('1 of 2 running');
  });
});

describe('what drifts on a swarm', () => {
  const swarm: Swarm = { kind: 'swarm', name: 'swarm', managers: [host('prod-1')] };
  const alone = { replace: 'stop-first' } as const;

  test.each<[string, string, Parameters<typeof spec>[2], number, [expected: string, actual: string][]]>([
    ['a worker that works', 'job-2.0.0', {}, 1, []],
    ['a worker that somebody scaled to nothing', 'job-2.0.0', {}, 0, [['running', 'resting']]],
    ['a role of its own that somebody scaled to nothing', 'web-2.0.0', alone, 0, [['running', 'resting']]],
    ['a kept worker that rests', 'job-1.0.0', {}, 0, []],
    ['a kept worker that somebody started', 'job-1.0.0', {}, 1, [['resting', 'running']]],
    ['a kept role of its own that somebody started', 'web-1.0.0', alone, 1, [['resting', 'running']]],
    ['a standby with traffic that runs', 'web-1.0.0', {}, 1, []],
    ['a standby with traffic that somebody scaled to nothing', 'web-1.0.0', {}, 0, [['running', 'resting']]],
  ])('%s', async (_what, name, changes, count, found) => {
    const own = spec(name, 'swarm', { replicas: 1, ...changes });
    const serving = revision(2, '2.0.0', { containers: name.endsWith('2.0.0') ? [own] : [] });
    const Spec = { ...serviceSpec(place, own), Mode: { Replicated: { Replicas: count } } };
    const running = task('a', { Spec: { ContainerSpec: { Image: own.image } } });
    const { engine, close } = await answeringEngine({
      '/services': [{ ID: 's1', Version: { Index: 1 }, CreatedAt: '', Spec }],
      '/tasks': count === 1 ? [running] : [],
    });
    const recorded = record([serving], [{ host: swarm, spec: own }]);
    const look = { ...place, record: recorded, standing: { edges: [], accessories: [] } };
    const drift = await swarmDrift(engine, swarm, { ...look, signal: new AbortController().signal });
    await close();
    expect(drift.map(({ expected, actual }) => [expected, actual])).toEqual(found);
  });
});

test.each([
  ['x86_64', 'linux/amd64', 'linux/amd64'],
  ['aarch64', 'linux/arm64', 'linux/arm64'],
  ['armv7l', 'linux/arm', 'linux/arm/v7'],
  ['armv6l', 'linux/arm', 'linux/arm/v6'],
  ['i686', 'linux/386', 'linux/386'],
  ['riscv64', 'linux/riscv64', 'linux/riscv64'],
  ['s390x', 'linux/s390x', 'linux/s390x'],
])('a node with a processor %s is %s, and takes what was built for %s', (Architecture, platform, built) => {
  const node = { Description: { Hostname: 'node-1', Platform: { OS: 'linux', Architecture } } };
  expect(platformOf(node)).toBe(platform);
  const fits = { ...release('1.0.0'), platform: built };
  expect(() => checkPlatform(fits, [{ host: { name: 'swarm' }, platform: platformOf(node) }])).not.toThrow();
});

test.each<[string, [State: string, Availability: string][], string[] | undefined]>([
  ['that is up', [['ready', 'active']], undefined],
  [
    'of which one is up',
    [
      ['down', 'active'],
      ['ready', 'active'],
    ],
    undefined,
  ],
  ['whose leader has not heard of it yet', [['unknown', 'active']], undefined],
  ['that was drained', [['ready', 'drain']], ['node node-1 is set to drain']],
  [
    'none of which takes anything',
    [
      ['ready', 'pause'],
      ['down', 'active'],
    ],
    ['node node-1 is set to pause', 'node node-2 is down'],
  ],
])('nodes %s', async (_what, nodes, details) => {
  const { engine, close } = await answeringEngine({
    '/nodes': nodes.map(([State, Availability], index) => ({
      ID: `n${index}`,
      Spec: { Role: 'manager', Availability },
      Description: { Hostname: `node-${index + 1}`, Platform: { OS: 'linux', Architecture: 'x86_64' } },
      Status: { State },
    })),
  });
  const looked = refuseWithoutNodes(engine, { kind: 'swarm', name: 'swarm', managers: [] });
  const refused = await looked.then(
    () => undefined,
    (error: unknown) => error,
  );
  await close();
  if (details) expect(refused).toMatchObject({ message: 'swarm: none of its nodes takes containers', details });
  else expect(refused).toBeUndefined();
});

describe('a swarm for which nobody speaks', () => {
  const managers = ['prod-1', 'prod-2', 'prod-3'].map(host);
  const swarm: Swarm = { kind: 'swarm', name: 'swarm', managers };
  const silentView = { host: swarm, error: 'does not answer within 2 s', containers: [] };
  const views = (...silent: string[]) => [
    silentView,
    ...managers.map((each) => ({
      host: each,
      containers: [],
      ...(silent.includes(each.name) ? { error: 'does not answer' } : {}),
    })),
  ];

  test.each<[string[], string]>([
    [[], 'does not answer within 2 s'],
    [['prod-2'], 'has no leader in reach: 1 of 3 managers does not answer'],
    [['prod-1', 'prod-2'], 'has no leader in reach: 2 of 3 managers do not answer'],
  ])('while %j do not answer', (silent, said) => {
    expect(quorumLoss(swarm, silentView, views(...silent))).toBe(said);
  });

  test('is not told of one that has spoken', () => {
    const { error: _, ...spoken } = silentView;
    expect(quorumLoss(swarm, spoken, views('prod-1'))).toBeUndefined();
  });
});
