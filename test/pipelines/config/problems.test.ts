import { describe, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { common, load, own, problemsOf } from './files.ts';

const inRole = (text: string) => problemsOf(common.replace('{ port: 8080 }', `{ port: 8080, ${text} }`));
const inCommon = (text: string) => problemsOf(`${common}${text}\n`);
const inDev = (text: string) => problemsOf(common, { dev: `${own}${text}\n` });

describe('all problems at once', () => {
  const lockage = `app: Shop
repository: registry.example.com/shop:1.0
pipeline: [dev, prod]
roles:
  web:
    prot: 8080
    command: node web.mjs
    limits: { memory: 256, cpus: lots }
`;
  const environments = { dev: 'targets: []\nwatch: 10\n', prod: 'targets: [tcp://10.0.0.1:2376]\nstandby: 99\n' };

  test('in aligned lines with file, line and path', () => {
    const error = (() => {
      try {
        return load(lockage, environments);
      } catch (thrown) {
        return thrown;
      }
    })() as LockageError;
    expect(error).toBeInstanceOf(LockageError);
    expect(error.constructor).toBe(LockageError);
    expect(error.message).toBe('the configuration has 10 problems');
    expect(error.details).toMatchInlineSnapshot(`
      [
        "lockage.yaml:1            app                      expected a name of lower-case letters, digits and inner hyphens, at most 40 characters, got "Shop"",
        "lockage.yaml:2            repository               expected a repository without a tag: releases are pushed under their version",
        "lockage.yaml:6            roles.web.prot           unknown key, did you mean port?",
        "lockage.yaml:7            roles.web.command        expected a list of words: write [node, web.mjs]",
        "lockage.yaml:8            roles.web.limits.memory  expected a size such as 256MiB or 1GiB, got 256",
        "lockage.yaml:8            roles.web.limits.cpus    expected a number of CPUs such as 0.5, got "lots"",
        "environments/dev.yaml:1   targets                  expected at least one target",
        "environments/dev.yaml:2   watch                    expected a duration such as 10s, got 10",
        "environments/prod.yaml:1  targets[0]               tcp:// without TLS leaves the host to everybody: add tls: { ca, cert, key }, or write ssh://user@host",
        "environments/prod.yaml:2  standby                  expected a number of releases from 0 to 10, got 99",
      ]
    `);
    expect(error.hint).toBe('Correct the lines above and run the command again.');
  });
});

describe('keys', () => {
  test('unknown', () => {
    expect(inCommon('rolse: {}')).toEqual(['lockage.yaml:5  rolse  unknown key, did you mean roles?']);
    expect(inRole('health: { pth: / }')).toEqual([
      'lockage.yaml:4  roles.web.health.pth  unknown key, did you mean path?',
    ]);
    expect(inDev('zzz: 1')).toEqual(['environments/dev.yaml:2  zzz  unknown key']);
  });

  test('twice', () => {
    expect(inCommon('app: other')).toEqual(['lockage.yaml:5  app  is written twice, first on line 1']);
    expect(problemsOf(`${common}  web: {}\n`)).toEqual([
      'lockage.yaml:5  roles.web  is written twice, first on line 4',
    ]);
  });

  test('missing', () => {
    expect(problemsOf('roles: { web: { port: 80 } }\n')).toEqual(['lockage.yaml:1  app  is missing: expected a name']);
    expect(problemsOf(common, { dev: 'watch: 1s\n' })).toEqual([
      'environments/dev.yaml:1  targets  is missing: expected a list of targets, { kind: swarm, … }, { kind: lxc, … } or { kind: vm, … }',
    ]);
  });

  test.each(['__proto__', 'constructor', 'toString', 'prototype'])('%s is unknown and harmless', (key) => {
    expect(inCommon(`${key}: { polluted: true }`)).toEqual([
      expect.stringMatching(/^lockage\.yaml:5  \S+  unknown key(, did you mean promote\?)?$/),
    ]);
    expect(inCommon(`env: { "${key}": x }`)).toHaveLength(key === '__proto__' ? 1 : 0);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('merge keys', () => {
    expect(inCommon('env: { <<: { A: b } }')[0]).toContain('merge keys are not supported');
  });
});

test.each([
  ['"::ffff:172.18.0.1"', '172.18.0.1'],
  ['"::FFFF:10.0.0.0/104"', '10.0.0.0/8'],
])('edge: an address as Node.js logs it, %s, which no proxy would find', (written, plain) => {
  const expected = `environments/dev.yaml:2  edge.trustedProxies[0]  is an IPv4 address as some programs log it: write ${plain}`;
  expect(inDev(`edge: { trustedProxies: [${written}] }`)).toEqual([expected]);
});

test('edge: an address, a limit and a key that are none', () => {
  expect(
    inDev('edge: { image: caddy, trustedProxies: [10.0.0.0/33, lb.example.com], limits: { connections: 1 } }'),
  ).toEqual([
    'environments/dev.yaml:2  edge.limits.connections  expected a number of requests from 16 to 1000000, got 1',
    'environments/dev.yaml:2  edge.trustedProxies[0]  expected an address or network such as 10.0.0.5 or 10.0.0.0/24, got "10.0.0.0/33"',
    'environments/dev.yaml:2  edge.trustedProxies[1]  expected an address or network such as 10.0.0.5 or 10.0.0.0/24, got "lb.example.com"',
    'environments/dev.yaml:2  edge.image  is set in lockage.yaml, for all environments',
  ]);
});

describe('names', () => {
  test.each(['Shop', '-shop', 'shop-', 'my_shop', 'a'.repeat(41), '""', 'sho p', 'schön'])('%s is refused', (name) => {
    expect(problemsOf(common.replace('app: shop', `app: ${name}`))[0]).toContain(
      'expected a name of lower-case letters',
    );
  });

  test('of files', () => {
    expect(problemsOf(common, { dev: own, Prod: own })[0]).toContain(
      'environments/Prod.yaml:1  is not named after an environment',
    );
  });

  test('of roles', () => {
    expect(problemsOf(common.replace('web:', 'Web:'))[0]).toContain('lockage.yaml:4  roles.Web  expected a name');
  });

  test('too long together', () => {
    const long = common.replace('app: shop', `app: ${'a'.repeat(40)}`).replace('web', 'b'.repeat(20));
    expect(problemsOf(long)).toEqual([
      `lockage.yaml:4  roles.${'b'.repeat(20)}  names of app, environment and role are 11 characters too long together`,
    ]);
  });
});

describe('the pipeline', () => {
  const two = { dev: own, prod: 'targets: [ssh://prod.example.com]\n' };
  const pipeline = (text: string, environments: Record<string, string> = two) =>
    problemsOf(`${common}pipeline: ${text}\n`, environments);

  test('is needed for more than one environment', () => {
    expect(problemsOf(common, two)).toEqual([
      'lockage.yaml:1  pipeline  is missing: list the environments in order, as [dev, prod]',
    ]);
    expect(problemsOf(common, {})).toEqual([
      'lockage.yaml:1  pipeline  is missing: list the environments in order, as [dev, prod]',
    ]);
  });

  test('names without files and files without names', () => {
    expect(pipeline('[dev, prdo]')).toEqual([
      'lockage.yaml:5  pipeline[1]  has no file environments/prdo.yaml, did you mean prod?',
      'environments/prod.yaml:1  is not in the pipeline of lockage.yaml, did you mean prdo?',
    ]);
  });

  test('names of other records', () => {
    const file = 'targets: [ssh://deploy@other.example.com]\n';
    const named = (name: string) => problemsOf(`${common}pipeline: [dev, ${name}]\n`, { dev: own, [name]: file });
    for (const name of ['releases', 'machine-images', 'dev-foundation', 'dev-machines']) {
      expect(named(name)).toEqual([
        `environments/${name}.yaml:1  has a name that Lockage keeps other records under: ${name}`,
      ]);
    }
    expect(named('qa-machines')).toEqual([]);
  });

  test('twice', () => {
    expect(pipeline('[dev, prod, dev]')).toEqual(['lockage.yaml:5  pipeline[2]  dev is in the pipeline twice']);
  });

  test('cycles', () => {
    expect(pipeline('[{ name: dev, after: [prod] }, { name: prod, after: [dev] }]')).toEqual([
      'lockage.yaml:5  pipeline[0]  goes round in a circle: dev after prod after dev',
    ]);
    expect(pipeline('[dev, { name: prod, after: [prod] }]')).toEqual([
      'lockage.yaml:5  pipeline[1]  goes round in a circle: prod after prod',
    ]);
  });

  test('unknown predecessors', () => {
    expect(pipeline('[dev, { name: prod, after: [dve] }]')).toEqual([
      'lockage.yaml:5  pipeline[1]  dve is not in the pipeline, did you mean dev?',
    ]);
  });
});

describe('repository', () => {
  test.each([
    ['registry.example.com/shop:1.0', 'expected a repository without a tag: releases are pushed under their version'],
    ['https://registry.example.com/shop', 'expected a repository without https://, as registry.example.com/shop'],
    [`registry.example.com/shop@sha256:${'0'.repeat(64)}`, 'expected a repository without a digest'],
    ['registry.example.com/Shop', 'expected a repository in lower-case letters'],
    ['registry.example.com', 'names a registry without a repository: write registry.example.com/NAME'],
    ['localhost:5000', 'names a registry without a repository: write localhost:5000/NAME'],
    ['acme/shop', 'names no registry: write it as registry.example.com/shop'],
    ['embedded.lockage.internal/shop', 'is the embedded registry: leave `repository` out for that one'],
    ['shop', 'expected a repository such as registry.example.com/shop, got "shop"'],
    ['[a]', 'expected a repository such as registry.example.com/shop, got a list'],
  ])('%s', (repository, message) => {
    expect(problemsOf(common.replace('registry.example.com/shop', repository))).toEqual([
      `lockage.yaml:2  repository  ${message}`,
    ]);
  });
});

describe('roles', () => {
  const at = 'lockage.yaml:4  roles.web';

  test.each([
    ['port: 0', 'port  expected a port from 1 to 65535, got 0'],
    ['port: 65536', 'port  expected a port from 1 to 65535, got 65536'],
    ['port: http', 'port  expected a port from 1 to 65535, got "http"'],
    ['port: 80.5', 'port  expected a port from 1 to 65535, got 80.5'],
    ['publish: 80', 'publish  needs the port that its containers listen on: set port too'],
    ['health: { path: / }', 'health.path  needs a port: set roles.web.port, or port beside path'],
    ['health: { running: 90s }', 'health.timeout  60s is over before a check can succeed, which takes 90s'],
    ['health: { command: [a], running: 5s }', 'health.running  is a second check: keep one of command, running'],
    ['count: 0', 'count  expected a number of containers from 1 to 100, got 0'],
    ['stop: 10', 'stop  expected a duration such as 10s, got 10'],
    ['stop: 1d', 'stop  expected a duration such as 10s, got "1d"'],
    ['stop: 2h', 'stop  expected a duration from 0s to 1h, got "2h"'],
    ['command: node web.mjs', 'command  expected a list of words: write [node, web.mjs]'],
    ['command: "a && b"', 'command  expected a list of words: write [sh, -c, "a && b"]'],
    ['command: []', 'command  expected at least one word'],
    ['command: [sleep, 5]', 'command[1]  expected a word (quote numbers), got 5'],
    ['limits: { memory: 256 }', 'limits.memory  expected a size such as 256MiB or 1GiB, got 256'],
    ['limits: { memory: 256m }', 'limits.memory  expected a size such as 256MiB or 1GiB, got "256m"'],
    ['limits: { memory: 1KiB }', 'limits.memory  expected a size from 6MiB to 64TiB, got "1KiB"'],
    ['limits: { cpus: 0 }', 'limits.cpus  expected a number of CPUs from 0.01 to 1024, got 0'],
    ['limits: { cpus: .nan }', 'limits.cpus  expected a number of CPUs such as 0.5, got NaN'],
    ['limits: { shmSize: 1KiB }', 'limits.shmSize  expected a size from 1MiB to 1TiB, got "1KiB"'],
    ['limits: { shmSize: 1GiB }', 'limits.shmSize  is more than the memory limit, which it counts towards'],
    ['limits: { ulimits: { nofile: 5 } }', 'limits.ulimits.nofile  unknown key'],
    ['limits: { ulimits: { memlok: 5 } }', 'limits.ulimits.memlok  unknown key, did you mean memlock?'],
    [
      'limits: { ulimits: { nproc: many } }',
      'limits.ulimits.nproc  expected a number, unlimited, or { soft: 1024, hard: 2048 }, got "many"',
    ],
    [
      'limits: { ulimits: { stack: { soft: unlimited, hard: 9 } } }',
      'limits.ulimits.stack  has a soft limit above its hard one',
    ],
    ['stopSignal: SIGKILL', 'stopSignal  expected a signal such as SIGQUIT, got "SIGKILL"'],
    ['stopSignal: 3', 'stopSignal  expected a signal such as SIGQUIT, got 3'],
    ['extraHosts: { a: b }', 'extraHosts.a  expected an IPv4 or IPv6 address, or host-gateway, got "b"'],
    [
      'extraHosts: { a: "10.0.0.7:80" }',
      'extraHosts.a  expected an IPv4 or IPv6 address, or host-gateway, got "10.0.0.7:80"',
    ],
    [
      'extraHosts: { a: 10.0.0.256 }',
      'extraHosts.a  expected an IPv4 or IPv6 address, or host-gateway, got "10.0.0.256"',
    ],
    ['dns: { servers: ["fd00::53::1"] }', 'dns.servers[0]  expected the address of a name server, got "fd00::53::1"'],
    ['dns: { servers: [one] }', 'dns.servers[0]  expected the address of a name server, got "one"'],
    ['dns: { options: ["a b"] }', 'dns.options[0]  expected an option of resolv.conf such as ndots:1, got "a b"'],
    ['hardening: { user: root }', 'hardening.user  is root: allowRoot: { value: true, reason: why } is needed too'],
    [
      'hardening: { user: "a b" }',
      'hardening.user  expected a user as 1000, "1000:1000" or a name of its image, got "a b"',
    ],
    ['log: json-file', 'log  expected a mapping, got "json-file"'],
    ['log: { driver: "A b" }', 'log.driver  expected a log driver such as journald, or host, got "A b"'],
    [
      'log: { driver: host, options: { tag: a } }',
      "log.options  goes with a driver that is named: host takes the engine's own settings",
    ],
    ['init: no', 'init  expected true or false, got "no"'],
    ['limits: { pids: -1 }', 'limits.pids  expected a number of processes from 1 to 4194304, got -1'],
    ['hosts: [dev-2]', 'hosts.dev-2  is not a target of dev, did you mean dev-1?'],
    ['hosts: [other]', 'hosts.other  is not a target of dev: dev-1'],
    ['hosts: []', 'hosts  expected at least one host name'],
    ['env: { LOCKAGE_X: 1 }', 'env.LOCKAGE_X  names that begin with LOCKAGE_ are set by Lockage'],
    ['env: { A: [1] }', 'env.A  expected text: write "" for an empty value'],
    ['env: { A: }', 'env.A  expected text: write "" for an empty value'],
    ['env: { 1A: x }', 'env.1A  expected a variable name of letters, digits and _'],
    ['secrets: [TOKEN]', 'secrets.TOKEN  is not declared under secrets'],
    ['secrets: TOKEN', 'secrets  expected a list of secret names, got "TOKEN"'],
    ['health: []', 'health  expected a mapping, got a list'],
  ])('%s', (text, message) => {
    expect(problemsOf(common.replace('port: 8080', text))).toEqual([`${at}.${message}`]);
  });

  test('are needed', () => {
    expect(problemsOf('app: shop\nrepository: localhost/shop\n')).toEqual([
      'lockage.yaml:1  roles  is missing: describe at least one role, as web: { port: 8080 }',
    ]);
  });

  test('of an environment only are misspelt', () => {
    expect(inDev('roles: { wbe: { count: 2 } }')).toEqual([
      'environments/dev.yaml:2  roles.wbe  is not a role of lockage.yaml, did you mean web?',
    ]);
  });

  test('a list instead of a mapping', () => {
    expect(problemsOf('app: shop\nrepository: localhost/shop\nroles: [web]\n')).toEqual([
      'lockage.yaml:3  roles  expected a mapping of roles, got a list',
    ]);
  });
});

describe('hardening', () => {
  test.each([
    ['readOnly: false', 'readOnly  expected { value: false, reason: why }, as an exception needs a reason, got false'],
    ['readOnly: { value: false }', 'readOnly.reason  is missing: expected the reason for it'],
    ['readOnly: { value: false, reason: "" }', 'readOnly.reason  expected the reason for it, got nothing'],
    ['allowRoot: true', 'allowRoot  expected { value: true, reason: why }, as an exception needs a reason, got true'],
    [
      'capabilities: [CAP_NET_RAW]',
      'capabilities  expected { value: [CAP_NET_BIND_SERVICE], reason: why }, as an exception needs a reason, got a list',
    ],
    [
      'capabilities: { value: [NET_RAW], reason: x }',
      'capabilities.value[0]  unknown capability, did you mean CAP_NET_RAW?',
    ],
    ['capabilities: { value: [ALL], reason: x }', 'capabilities.value[0]  unknown capability'],
    ['user: "0"', 'user  is root: allowRoot: { value: true, reason: why } is needed too'],
    ['tmpfs: { /tmp: { size: 1MiB, exec: true } }', 'tmpfs./tmp.reason  is missing: expected the reason for it'],
    ['tmpfs: { tmp: 1MiB }', 'tmpfs.tmp  expected an absolute path, got "tmp"'],
    ['tmpfs: { /run/secrets: 1MiB }', 'tmpfs./run/secrets  would hide the secrets in /run/secrets'],
    ['tmpfs: { /run/secrets/x: 1MiB }', 'tmpfs./run/secrets/x  would hide the secrets in /run/secrets'],
    ['tmpfs: { /var/run/secrets: 1MiB }', 'tmpfs./var/run/secrets  would hide the secrets in /run/secrets'],
    ['tmpfs: { /cache: 1GiB }', "tmpfs./cache  is more than the role's memory limit, which it counts towards"],
  ])('%s', (text, message) => {
    expect(inRole(`hardening: { ${text} }`)).toEqual([`lockage.yaml:4  roles.web.hardening.${message}`]);
  });
});

test.each(['/run', '/run/nginx', '/var/run', '/var/run/nginx', '/run/secretsx'])(
  'a folder in memory at %s hides nothing',
  (path) => {
    expect(inRole(`hardening: { tmpfs: { ${path}: 1MiB } }`)).toEqual([]);
  },
);

test('a folder in memory at /var/run would hide secrets, and one at /run does not', () => {
  const withSecret = (path: string) => {
    const role = `{ port: 8080, secrets: [A], hardening: { tmpfs: { ${path}: 1MiB } } }`;
    return problemsOf(`${common.replace('{ port: 8080 }', role)}secrets: { A: { env: A } }\n`);
  };
  expect(withSecret('/run')).toEqual([]);
  expect(withSecret('/var/run')).toEqual([
    'lockage.yaml:4  roles.web.hardening.tmpfs./var/run  would hide the secrets in /run/secrets, as it leads to /run: write /run',
  ]);
});

describe('ports', () => {
  test('of two roles on one host', () => {
    expect(inCommon('  api: { port: 3000 }')).toEqual([
      'lockage.yaml:5  roles.api.publish  port 80 of dev-1 is taken by role web',
    ]);
  });

  test('are free on different hosts', () => {
    const roles = common.replace('8080', '8080, hosts: [a]').concat('  api: { port: 3000, hosts: [b] }\n');
    expect(problemsOf(roles, { dev: 'targets: [ssh://a, ssh://b]\n' })).toEqual([]);
  });

  test('of an accessory that other hosts reach', () => {
    const lockage = `${common}accessories: { db: { image: postgres:16, port: 80 } }\n`;
    expect(problemsOf(lockage)).toEqual([]);
    expect(problemsOf(lockage, { dev: 'targets: [ssh://a, ssh://b]\n' })).toEqual([
      'lockage.yaml:5  accessories.db.port  port 80 of a is taken by role web',
    ]);
  });

  test.each([
    ['ssh://203.0.113.7', '', true],
    ['{ url: ssh://203.0.113.7, address: 10.0.0.7 }', '', false],
    ['{ url: ssh://203.0.113.7, address: a.example.com }', '', false],
    ['ssh://203.0.113.7', ', expose: true', false],
    ['ssh://203.0.113.7', ', expose: 203.0.113.8', false],
  ])('of an accessory on %s%s are public by choice only', (target, expose, refused) => {
    const lockage = `${common}accessories: { db: { image: postgres:16, port: 5432${expose} } }\n`;
    const problem = expect.stringMatching(
      /^lockage\.yaml:5 {2}accessories\.db\.port {2}on \S+ would be reached from everywhere at 203\.0\.113\.7, past any firewall: give/,
    );
    expect(problemsOf(lockage, { dev: `targets: [${target}, ssh://b]\n` })).toEqual(refused ? [problem] : []);
    expect(problemsOf(lockage, { dev: `targets: [${target}]\n` })).toEqual([]);
  });

  test('of environments whose machines share one address', () => {
    const at = (address: string) => `targets: { kind: lxc, address: ${address} }\n`;
    const both = { dev: at('203.0.113.5'), qa: at('203.0.113.5') };
    expect(problemsOf(`${common}pipeline: [dev, qa]\n`, both)).toEqual([
      'lockage.yaml:4  roles.web.publish  port 80 of the load balancer 203.0.113.5, which is also the load balancer 203.0.113.5 of dev, is taken by its role web (in qa)',
    ]);
    expect(problemsOf(`${common}pipeline: [dev, qa]\n`, { ...both, qa: at('203.0.113.6') })).toEqual([]);
  });

  test('of environments that share an engine', () => {
    const same = 'targets: [unix:///var/run/docker.sock]\n';
    expect(problemsOf(`${common}pipeline: [dev, qa]\n`, { dev: same, qa: same })).toEqual([
      'lockage.yaml:4  roles.web.publish  port 80 of qa-1, which is also dev-1 of dev, is taken by its role web (in qa)',
    ]);
    const moved = { dev: same, qa: `${same}roles: { web: { publish: 81 } }\n` };
    expect(problemsOf(`${common}pipeline: [dev, qa]\n`, moved)).toEqual([]);
  });
});

describe('secrets', () => {
  const hint = 'has no source: write { env: NAME }, { file: path } or { command: [program, argument] }';

  test.each([
    ['{ A: }', hint],
    ['{ A: {} }', hint],
    ['{ A: text }', hint],
    ['{ A: { env: A, file: a } }', 'has more than one source: keep one of env, file and command'],
  ])('%s', (text, message) => {
    expect(inCommon(`secrets: ${text}`)).toEqual([`lockage.yaml:5  secrets.A  ${message}`]);
  });

  test('a command as text', () => {
    expect(inCommon('secrets: { A: { command: pass show a } }')).toEqual([
      'lockage.yaml:5  secrets.A.command  expected a list of words: write [pass, show, a]',
    ]);
  });

  test('never show a value that was put in place of a source', () => {
    expect(inCommon('secrets: { A: hunter2canary }').join()).not.toContain('canary');
    expect(inCommon('env: { A: [hunter2canary] }').join()).not.toContain('canary');
  });

  test('declared in some environments only', () => {
    const lockage = `${common.replace('8080', '8080, secrets: [TOKEN]')}pipeline: [dev, qa]\n`;
    const qa = 'targets: [ssh://qa]\nsecrets: { TOKEN: { env: T } }\n';
    expect(problemsOf(lockage, { dev: own, qa })).toEqual([
      'lockage.yaml:4  roles.web.secrets.TOKEN  is not declared under secrets (in dev)',
    ]);
  });

  test('beside a variable of the same name', () => {
    const lockage = `${common.replace('8080', '8080, secrets: [T], env: { T: x, T_FILE: y }')}secrets: { T: { env: T } }\n`;
    expect(problemsOf(lockage)).toEqual([
      'lockage.yaml:4  roles.web.env.T  is also a secret: keep its value out of env',
      'lockage.yaml:4  roles.web.env.T_FILE  is set by Lockage to the file of secret T',
    ]);
  });
});

describe('accessories and migration', () => {
  test.each([
    ['accessories: { db: { port: 5432 } }', 'accessories.db.image  is missing: expected an image such as postgres:16'],
    [
      'accessories: { db: { image: "post gres" } }',
      'accessories.db.image  expected an image such as postgres:16, got "post gres"',
    ],
    [
      'accessories: { db: { image: a, host: dev-2 } }',
      'accessories.db.host  is not a target of dev, did you mean dev-1?',
    ],
    ['accessories: { edge: { image: a } }', 'accessories.edge  edge is a name that Lockage uses itself'],
    ['accessories: { db: { image: a, secrets: [P] } }', 'accessories.db.secrets.P  is not declared under secrets'],
    [
      'accessories: { db: { image: a, volumes: { a: data } } }',
      'accessories.db.volumes.a  expected an absolute path, got "data"',
    ],
    [
      'accessories: { db: { image: a, volumes: { a: /d, b: /d } } }',
      'accessories.db.volumes.b  /d is already the place of volume a',
    ],
    [
      'accessories: { db: { image: a, volumes: { main-data: /d } }, db-main: { image: a, volumes: { data: /d } } }',
      'accessories.db-main.volumes.data  would be the same volume as one of db: name it otherwise',
    ],
    [
      'migration: { command: node migrate.mjs }',
      'migration.command  expected a list of words: write [node, migrate.mjs]',
    ],
    ['migration: node migrate.mjs', 'migration  expected a mapping, got "node migrate.mjs"'],
    ['migration: { command: [a], secrets: [P] }', 'migration.secrets.P  is not declared under secrets'],
    ['auditLog: s3://log', 'auditLog  expected a folder, as file:///mnt/team/lockage'],
    [
      'backend: /var/state',
      'backend  expected a Pulumi backend URL: file://, s3://, gs://, azblob://, postgres:// or https://',
    ],
    [
      'backend: "postgres://shop:hunter2@db.example.com/state"',
      'backend  has a password in it: give it to Pulumi by a variable, as PGPASSWORD',
    ],
    [
      'backend: "postgres://db.example.com/state?password=hunter2"',
      'backend  has a password in it: give it to Pulumi by a variable, as PGPASSWORD',
    ],
    [
      'insecureRegistries: ["http://10.0.0.1:5000"]',
      'insecureRegistries[0]  expected host:port of a registry, as 10.0.0.1:5000, got "http://10.0.0.1:5000"',
    ],
    ['build: { platform: amd64 }', 'build.platform  expected a platform such as linux/amd64, got "amd64"'],
    ['watch: -1s', 'watch  expected a duration such as 10s, got "-1s"'],
  ])('%s', (text, message) => {
    expect(inCommon(text)).toEqual([`lockage.yaml:5  ${message}`]);
  });

  test('an accessory needs no volume', () => {
    expect(inCommon('accessories: { cache: { image: redis } }')).toEqual([]);
  });
});
