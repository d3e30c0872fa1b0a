import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfiguration } from '../../../pipelines/config/load.ts';
import { toRecord } from '../../../pipelines/model/target-record.ts';
import { hostWith } from '../model/values.ts';
import { common, load, own } from './files.ts';

const environment = (lockage?: string, dev: string = own) => load(lockage, { dev }).environments[0];
const role = (lockage?: string, dev?: string) => environment(lockage, dev)?.roles[0];

describe('a first service needs six lines', () => {
  const project = load();

  test('the project', () => {
    expect(project).toMatchObject({
      app: 'shop',
      root: '/srv/shop',
      backend: 'file:///srv/shop/.lockage/state',
      repository: 'registry.example.com/shop',
      build: { context: '.', dockerfile: 'Dockerfile', args: {} },
      insecureRegistries: [],
      edgeImage: 'caddy:2',
    });
  });

  test('its environment', () => {
    expect(project.environments).toEqual([
      {
        name: 'dev',
        after: [],
        hosts: [hostWith('dev-1', { url: 'ssh://deploy@dev-1.example.com', address: 'dev-1.example.com' })],
        roles: [
          {
            name: 'web',
            count: 1,
            hosts: ['dev-1'],
            env: {},
            secrets: [],
            route: { publish: 80, port: 8080 },
            health: { check: { kind: 'http', path: '/', port: 8080 }, interval: 100, healthy: 3, timeout: 60_000 },
            limits: { memory: 268_435_456, cpus: 1, pids: 256, files: 4096, log: 10_485_760 },
            hardening: {
              readOnly: true,
              tmpfs: { '/tmp': 16_777_216 },
              capabilities: [],
              noNewPrivileges: true,
              allowRoot: false,
              reasons: {},
            },
            stopGrace: 10_000,
          },
        ],
        accessories: [],
        secrets: {},
        watch: 10_000,
        standby: 1,
        same: [],
        registry: { through: 'network' },
      },
    ]);
  });
});

describe('a project that names no repository', () => {
  const without = common.replace(/^repository.*\n/m, '');

  test('has one in the registry of this computer, of its own for each state', () => {
    expect(load(without).repository).toMatch(/^embedded\.lockage\.internal\/shop-[0-9a-f]{8}$/);
    expect(load(without).repository).toBe(load(without).repository);
    expect(load(`${without}backend: s3://states\n`).repository).not.toBe(load(without).repository);
  });
});

describe('an environment lies over what is common', () => {
  test('variables: common, environment, common role, environment’s role, later ones winning', () => {
    const lockage = `${common.replace('{ port: 8080 }', '{ port: 8080, env: { B: role, C: role } }')}env: { A: all, B: all, C: all, D: all }\n`;
    const dev = `${own}env: { A: dev, B: dev }\nroles: { web: { env: { C: dev role } } }\n`;
    expect(role(lockage, dev)?.env).toEqual({ A: 'dev', B: 'role', C: 'dev role', D: 'all' });
  });

  test('a role: given keys only, inside limits, hardening and health too', () => {
    const lockage = common.replace(
      '{ port: 8080 }',
      `
    port: 8080
    command: [node, web.mjs]
    health: { path: /healthz, timeout: 20s }
    limits: { memory: 1GiB, cpus: 2 }
    hardening: { tmpfs: { /var/cache: 1MiB } }
    secrets: [A]`,
    );
    const dev = `${own}secrets: { A: { env: A }, B: { file: b } }
roles:
  web: { count: 3, health: { healthy: 1 }, limits: { cpus: 0.5 }, hardening: { user: 1000 }, secrets: [B] }
`;
    expect(role(`${lockage}\n`, dev)).toMatchObject({
      command: ['node', 'web.mjs'],
      count: 3,
      health: { check: { kind: 'http', path: '/healthz', port: 8080 }, healthy: 1, timeout: 20_000 },
      limits: { memory: 2 ** 30, cpus: 0.5 },
      hardening: { tmpfs: { '/tmp': 2 ** 24, '/var/cache': 2 ** 20 }, user: '1000' },
      secrets: ['A', 'B'],
    });
  });

  test.each(['roles', 'accessories'] as const)('what containers of %s are given of their host, key by key', (kind) => {
    const [name, more] = kind === 'roles' ? ['web', 'port: 8080, '] : ['db', 'image: "a:1", '];
    const given = (extraHosts: string, dns: string, ulimits: string) =>
      `${kind}: { ${name}: { ${more}extraHosts: { ${extraHosts} }, dns: { ${dns} }, limits: { ulimits: { ${ulimits} } } } }\n`;
    const lockage = `app: shop\nroles: { web: { port: 8080 } }\n${given('a: 10.0.0.1', 'servers: [1.1.1.1]', 'memlock: unlimited')}`;
    const found = environment(
      kind === 'roles' ? lockage.replace('roles: { web: { port: 8080 } }\n', '') : lockage,
      `${own}${given('b: 10.0.0.2', 'search: [x.y]', 'core: 0').replace(more, '')}`,
    )?.[kind][0];
    expect({ ...(found && 'limits' in found ? found.limits : {}), ...found }).toMatchObject({
      extraHosts: { a: '10.0.0.1', b: '10.0.0.2' },
      dns: { servers: ['1.1.1.1'], search: ['x.y'] },
      ulimits: expect.objectContaining({ memlock: expect.anything(), core: expect.anything() }),
    });
  });

  test('another kind of health check replaces the common one and keeps its timing', () => {
    const lockage = common.replace('8080', '8080, health: { path: /healthz, timeout: 20s }');
    const dev = `${own}roles: { web: { health: { command: [node, health.mjs] } } }\n`;
    expect(role(lockage, dev)?.health).toEqual({
      check: { kind: 'command', command: ['node', 'health.mjs'] },
      interval: 100,
      healthy: 3,
      timeout: 20_000,
    });
  });

  test('what hosts have to have in common, as a whole', () => {
    const lockage = `${common}same: [architecture, engine, engine]\n`;
    expect(environment(lockage)?.same).toEqual(['architecture', 'engine']);
    expect(environment(lockage, `${own}same: []\n`)?.same).toEqual([]);
  });

  test('watch, standby, secrets and accessories', () => {
    const lockage = `${common}watch: 1m\nstandby: 3\naccessories: { db: { image: postgres:16, volumes: { data: /data } } }\n`;
    const dev = `${own}watch: 500ms\naccessories: { db: { limits: { memory: 1GiB } }, cache: { image: redis } }\n`;
    expect(environment(lockage, dev)).toMatchObject({
      watch: 500,
      standby: 3,
      accessories: [
        { name: 'db', image: 'postgres:16', host: 'dev-1', volumes: { data: '/data' }, memory: 2 ** 30, cpus: 1 },
        { name: 'cache', image: 'redis', host: 'dev-1', volumes: {}, memory: 2 ** 29, cpus: 1 },
      ],
    });
  });

  test('the migration gets the environment’s variables and its own', () => {
    const lockage = `${common}env: { A: all, B: all }\nmigration: { command: [node, migrate.mjs], env: { B: own } }\n`;
    expect(environment(lockage, `${own}env: { A: dev }\n`)?.migration).toEqual({
      command: ['node', 'migrate.mjs'],
      timeout: 300_000,
      secrets: [],
      env: { A: 'dev', B: 'own' },
    });
  });
});

describe('values', () => {
  test('variables are text as written', () => {
    const lockage = `${common}env: { A: 1.10, B: 007, C: true, D: 0x1F, E: "", F: 1e3, G: yes }\n`;
    expect(role(lockage)?.env).toEqual({ A: '1.10', B: '007', C: 'true', D: '0x1F', E: '', F: '1e3', G: 'yes' });
  });

  test('a role may be called env', () => {
    expect(role('app: shop\nrepository: localhost:5000/shop\nroles: { env: { port: 8080 } }\n')?.route?.port).toBe(
      8080,
    );
  });

  test('exceptions from hardening keep their reasons', () => {
    const hardening = `
    hardening:
      readOnly: { value: false, reason: writes its cache beside the code }
      capabilities: { value: [CAP_NET_BIND_SERVICE], reason: listens on 80 }
      noNewPrivileges: true
      allowRoot: { value: true, reason: image of a vendor }
      user: "0:0"`;
    expect(role(common.replace('{ port: 8080 }', hardening))?.hardening).toEqual({
      readOnly: false,
      tmpfs: { '/tmp': 2 ** 24 },
      capabilities: ['CAP_NET_BIND_SERVICE'],
      noNewPrivileges: true,
      user: '0:0',
      allowRoot: true,
      reasons: {
        readOnly: 'writes its cache beside the code',
        capabilities: 'listens on 80',
        allowRoot: 'image of a vendor',
      },
    });
  });

  test('what an image brings along is made room for, and changes nothing where it is not written', () => {
    const settings = `
    init: false
    log: { driver: journald, options: { tag: shop, labels-count: 2 } }
    limits: { cpus: none, shmSize: 128MiB, ulimits: { memlock: unlimited, nproc: { soft: 64, hard: 128 }, core: 0 } }
    stopSignal: SIGQUIT
    extraHosts: { mail.internal: 10.0.0.9, six: 'fd00::9', my_host: host-gateway }
    dns: { servers: [10.0.0.2], search: [corp.example], options: ['ndots:1'] }
    hardening: { tmpfs: { /tmp: { size: 64MiB, exec: true, reason: unpacks a library }, /var/run: 1MiB } }`;
    const found = role(common.replace('{ port: 8080 }', settings));
    expect(found).toMatchObject({
      init: false,
      log: { driver: 'journald', options: { tag: 'shop', 'labels-count': '2' } },
      limits: {
        shmSize: 2 ** 27,
        ulimits: { memlock: { soft: -1, hard: -1 }, nproc: { soft: 64, hard: 128 }, core: { soft: 0, hard: 0 } },
      },
      stopSignal: 'SIGQUIT',
      extraHosts: { 'mail.internal': '10.0.0.9', six: 'fd00::9', my_host: 'host-gateway' },
      dns: { servers: ['10.0.0.2'], search: ['corp.example'], options: ['ndots:1'] },
      hardening: {
        tmpfs: { '/tmp': 2 ** 26, '/var/run': 2 ** 20 },
        executable: ['/tmp'],
        reasons: { 'tmpfs /tmp': 'unpacks a library' },
      },
    });
    expect(found?.limits).not.toHaveProperty('cpus');
    expect(Object.keys(role(common) ?? {}).sort()).toEqual([
      'count',
      'env',
      'hardening',
      'health',
      'hosts',
      'limits',
      'name',
      'route',
      'secrets',
      'stopGrace',
    ]);
    const db = `accessories: { db: { image: postgres:16, init: true, log: { driver: host }, limits: { cpus: none, shmSize: 256MiB, ulimits: { memlock: unlimited } }, stopSignal: SIGINT } }`;
    const [accessory] = environment(`${common}${db}\n`)?.accessories ?? [];
    expect(accessory).toMatchObject({ init: true, log: { driver: 'host' }, shmSize: 2 ** 28, stopSignal: 'SIGINT' });
    expect(accessory?.ulimits).toEqual({ memlock: { soft: -1, hard: -1 } });
    expect(accessory).not.toHaveProperty('cpus');
  });

  test('a role without port has no route and has to stay up', () => {
    const worker = role(common.replace('{ port: 8080 }', ''));
    expect(worker?.route).toBeUndefined();
    expect(worker?.health.check).toEqual({ kind: 'running', for: 5000 });
  });

  test.each([
    ['file://.lockage/state', 'file:///srv/shop/.lockage/state'],
    ['file://../state', 'file:///srv/state'],
    ['file:///var/lib/lockage', 'file:///var/lib/lockage'],
    ['file:////mnt/nfs/state', 'file:///mnt/nfs/state'],
    ['file:////[state', 'file:///[state'],
    ['file://~', 'file://~'],
    ['file://state#1', 'file:///srv/shop/state%231'],
    ['file://100%/a%20b', 'file:///srv/shop/100%25/a%20b'],
    ['file://state?metadata=skip', 'file:///srv/shop/state?metadata=skip'],
    ['s3://state?region=eu-west-1', 's3://state?region=eu-west-1'],
  ])('backend %s is %s', (written, resolved) => {
    expect(load(`${common}backend: ${written}\n`).backend).toBe(resolved);
  });

  test('the folder of the audit log counts from the file, as a backend does', () => {
    expect(load(`${common}auditLog: file://../log\n`).auditLog).toBe('file:///srv/log');
    expect(load(common)).not.toHaveProperty('auditLog');
  });

  test('sections may be left empty', () => {
    expect(role(`${common}env:\nsecrets:\naccessories:\nbuild:\n`)?.name).toBe('web');
  });
});

describe('machines of its own', () => {
  const dev = (targets: string) => environment(common, `targets: ${targets}\n`);

  test('are its hosts, by number, and are reached once they are made', () => {
    const { hosts, machines, roles } = dev('{ kind: lxc, count: 2, memory: 2GiB, cpus: 0.5 }') ?? {};
    expect(machines).toEqual({ kind: 'lxc', count: 2, memory: 2 * 2 ** 30, cpus: 0.5 });
    expect(hosts?.map(toRecord)).toEqual([
      { name: 'dev-1', url: 'machine://dev-1', address: 'dev-1' },
      { name: 'dev-2', url: 'machine://dev-2', address: 'dev-2' },
    ]);
    expect(roles?.[0]?.hosts).toEqual(['dev-1', 'dev-2']);
  });

  test('are one of a modest size unless more is said', () => {
    expect(dev('{ kind: lxc, address: 203.0.113.5 }')?.machines).toMatchObject({ address: '203.0.113.5' });
    expect(dev('{ kind: lxc }')?.machines).toEqual({ kind: 'lxc', count: 1, memory: 2 ** 30, cpus: 1 });
    expect(dev('{ kind: vm, disk: 16GiB }')?.machines).toMatchObject({ kind: 'vm', cpus: 1, disk: 2 ** 34 });
    expect(dev('{ kind: vm }')?.machines?.disk).toBe(2 ** 33);
    expect(dev('[ssh://root@a]')?.machines).toBeUndefined();
  });
});

describe('targets', () => {
  const hosts = (targets: string) => environment(common, `targets:\n${targets}`)?.hosts.map(toRecord);

  test('are named after the first part of the host name, else numbered', () => {
    const named = hosts(`  - ssh://deploy@web-1.example.com:2222
  - unix:///var/run/docker.sock
  - ssh://10.0.0.7
  - ssh://a@db.one.example.com
  - ssh://a@db.two.example.com
  - { name: spare, url: "ssh://[fd00::7]:22/run/other.sock" }
`);
    expect(named?.map(({ name, address }) => `${name} ${address}`)).toEqual([
      'web-1 web-1.example.com',
      'dev-2 127.0.0.1',
      'dev-3 10.0.0.7',
      'dev-4 db.one.example.com',
      'dev-5 db.two.example.com',
      'spare fd00::7',
    ]);
  });

  test('may say how they are reached', () => {
    const hostKey = `SHA256:${'a'.repeat(43)}`;
    const [host] =
      hosts(
        `  - { url: "ssh://a@b", address: 10.1.1.1, identity: keys/dev, jump: "a@gate:22", hostKey: "${hostKey}" }\n`,
      ) ?? [];
    expect(host).toEqual({
      name: 'b',
      url: 'ssh://a@b',
      address: '10.1.1.1',
      identity: '/srv/shop/keys/dev',
      jump: 'a@gate:22',
      hostKey,
    });
  });

  test('may be reached by TLS', () => {
    const tls = '{ ca: keys/ca.pem, cert: /etc/lockage/cert.pem, key: ~/.docker/key.pem }';
    const [named, numbered, here] =
      hosts(`  - { url: "tcp://web-1.example.com:2376", tls: ${tls} }
  - { url: "tcp://[fd00::7]:2376", tls: ${tls} }
  - tcp://127.0.0.1:2375
`) ?? [];
    expect(named).toEqual({
      name: 'web-1',
      url: 'tcp://web-1.example.com:2376',
      address: 'web-1.example.com',
      tls: { ca: '/srv/shop/keys/ca.pem', cert: '/etc/lockage/cert.pem', key: '~/.docker/key.pem' },
    });
    expect([numbered?.name, numbered?.address]).toEqual(['dev-2', 'fd00::7']);
    expect([here?.name, here?.address, here?.tls]).toEqual(['dev-3', '127.0.0.1', undefined]);
  });

  test('keep a key file of the home folder', () => {
    expect(hosts('  - { url: "ssh://a@b", identity: ~/.ssh/dev }\n')?.[0]?.identity).toBe('~/.ssh/dev');
  });
});

test('a swarm is one place for all roles, and its managers are the hosts', () => {
  const managers = '[ssh://a.example.com, { url: ssh://b.example.com, identity: keys/b }]';
  const [dev] = load(common, { dev: `targets: { kind: swarm, managers: ${managers} }\n` }).environments;
  expect(dev?.hosts.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(dev?.orchestrator).toEqual({ kind: 'swarm', name: 'swarm', managers: dev?.hosts });
  expect(dev?.hosts.map(toRecord)[1]?.identity).toBe('/srv/shop/keys/b');
  expect(dev?.roles.map(({ hosts }) => hosts)).toEqual([['swarm']]);
});

describe('the pipeline', () => {
  const environments = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, `targets: [ssh://deploy@${name}.example.com]\n`]));
  const order = (pipeline: string, ...names: string[]) =>
    load(`${common}pipeline: ${pipeline}\n`, environments(...names)).environments.map(({ name, after }) => [
      name,
      after,
    ]);

  test('names in a row come after each other', () => {
    expect(order('[dev, qa, prod]', 'dev', 'prod', 'qa')).toEqual([
      ['dev', []],
      ['qa', ['dev']],
      ['prod', ['qa']],
    ]);
  });

  test('branches are ordered so that each comes after those it names', () => {
    const pipeline =
      '[{ name: prod, after: [qa, load] }, { name: dev, after: [] }, { name: qa, after: [dev] }, { name: load, after: [dev] }]';
    expect(order(pipeline, 'dev', 'load', 'prod', 'qa')).toEqual([
      ['dev', []],
      ['qa', ['dev']],
      ['load', ['dev']],
      ['prod', ['qa', 'load']],
    ]);
  });
});

const sample = (name: string) => {
  const root = path.resolve(import.meta.dirname, '../../../environments', name);
  const names = ['lockage.yaml', ...readdirSync(path.join(root, 'environments')).map((file) => `environments/${file}`)];
  const files = names.map((file) => ({ path: file, text: readFileSync(path.join(root, file), 'utf8') }));
  return loadConfiguration(files, '/srv/shop');
};

test('the sample loads', () => {
  const project = sample('sample');
  expect(project.environments.map(({ name, hosts }) => `${name} ${hosts.length}`)).toEqual([
    'dev 1',
    'qa 1',
    'uat 2',
    'prod 2',
  ]);
  expect(project.environments[3]?.roles.map(({ name, count }) => `${name} ${count}`)).toEqual(['web 2', 'worker 1']);
});

test('the sample of every kind of environment loads, in an order that each release can go', () => {
  const { environments } = sample('kinds');
  expect(environments.map(({ name, after }) => `${name} after ${after.join(' and ') || 'nothing'}`)).toEqual([
    'dev after nothing',
    'dev-anna after nothing',
    'test-bert after dev',
    'test after dev',
    'qa after test',
    'uat after qa',
    'load-test after qa',
    'live-staging after uat and load-test',
    'prod-eu after live-staging',
    'prod-us after prod-eu',
    'partner after prod-eu',
  ]);
});

test('what is set for edges is laid over what is set for all, and nothing is set by itself', () => {
  const shared = `${common}edge: { limits: { memory: 128MiB, cpus: 2 }, trustedProxies: [10.0.0.5] }\n`;
  expect(environment()).not.toHaveProperty('edge');
  expect(environment(shared)?.edge).toEqual({
    limits: { memory: 134_217_728, cpus: 2 },
    trustedProxies: ['10.0.0.5'],
  });
  const apart = `${own}edge: { limits: { cpus: none, connections: 500 }, trustedProxies: [] }\n`;
  expect(environment(shared, apart)?.edge).toEqual({ limits: { memory: 134_217_728, connections: 500 } });
});
