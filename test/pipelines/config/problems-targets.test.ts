import { describe, expect, test } from 'vitest';
import { common, own, problemsOf } from './files.ts';

const inCommon = (text: string) => problemsOf(`${common}${text}\n`);
const inDev = (text: string) => problemsOf(common, { dev: `${own}${text}\n` });
const withTargets = (targets: string) => problemsOf(common, { dev: `targets: ${targets}\n` });

test.each([
  ['{ kind: vmware }', 'targets.kind  expected swarm, lxc or vm, got "vmware"'],
  ['{ count: 2 }', 'targets.kind  is missing: expected swarm, lxc or vm'],
  ['{ kind: lxc, count: 0 }', 'targets.count  expected a number from 1 to 50, got 0'],
  ['{ kind: lxc, memory: 1g }', 'targets.memory  expected a size such as 512MiB or 1GiB, got "1g"'],
  [
    '{ kind: lxc, address: example.com }',
    'targets.address  expected an IPv4 address of this computer, got "example.com"',
  ],
  [
    '{ kind: lxc, address: 10.0.0.256 }',
    'targets.address  expected an IPv4 address of this computer, got "10.0.0.256"',
  ],
  [
    '{ kind: lxc, disk: 9GiB }',
    "targets.disk  is for virtual machines only: system containers share this computer's disk",
  ],
  ['{ kind: vm, disk: 1GiB }', 'targets.disk  expected a size from 3GiB to 64TiB, got "1GiB"'],
  ['{ kind: vm, cpus: 1.5 }', 'targets.cpus  a virtual machine has whole ones'],
  ['{ kind: lxc, cpus: 0 }', 'targets.cpus  expected a number of CPUs from 0.1 to 256, got 0'],
  [
    '{ kind: vm, image: 1.1.0 }',
    'targets.image  is promoted, not configured: `lockage vm-image promote VERSION --to ENV`',
  ],
  ['{ kind: lxc, memroy: 1GiB }', 'targets.memroy  unknown key, did you mean memory?'],
  [
    '[machine://dev-1]',
    'targets[0]  machine:// is not supported: write ssh://user@host, unix:///path or tcp://host:port',
  ],
  ['lxc', 'targets  expected a list of targets, { kind: swarm, … }, { kind: lxc, … } or { kind: vm, … }, got "lxc"'],
])('machines that are written as %s', (targets, problem) => {
  expect(withTargets(targets)).toEqual([`environments/dev.yaml:1  ${problem}`]);
});

describe('targets', () => {
  const openPort =
    'tcp:// without TLS leaves the host to everybody: add tls: { ca, cert, key }, or write ssh://user@host';
  test.each([
    ['tcp://10.0.0.1:2376', openPort],
    ['tcp://127.0.0.1.example.com:2375', openPort],
    ['tcp://127.0.0.999:2375', openPort],
    ['tcp://[::2]:2375', openPort],
    ['tcp://10.0.0.1', 'expected tcp://host:port'],
    ['tcp://user@10.0.0.1:2376', 'expected tcp://host:port'],
    ['tcp://10.0.0.1:2376/path', 'expected tcp://host:port'],
    ['TCP://10.0.0.1:2376', 'expected tcp://host:port'],
    ['tcp://10.0.0.1:0', 'expected a port from 1 to 65535'],
    ['https://10.0.0.1:2376', 'https:// is not supported: write ssh://user@host, unix:///path or tcp://host:port'],
    ['/var/run/docker.sock', 'expected a URL: write unix:///var/run/docker.sock'],
    ['unix://docker.sock', 'expected the path of a socket: unix:///var/run/docker.sock'],
    ['deploy@web-1', 'expected a URL: write ssh://user@host or unix:///path'],
    ['ssh://', 'expected ssh://user@host or ssh://user@host:port'],
    ['ssh://a:b@host', 'has a password: ssh is used with keys only'],
    ['ssh://-oProxyCommand=x', 'has an invalid host name: -oProxyCommand=x'],
    ['ssh://-l@host', 'has an invalid user name: -l'],
    ['ftp://host', 'ftp:// is not supported: write ssh://user@host, unix:///path or tcp://host:port'],
  ])('%s', (url, message) => {
    expect(withTargets(`["${url}"]`)).toEqual([`environments/dev.yaml:1  targets[0]  ${message}`]);
    expect(withTargets(`[{ url: "${url}" }]`)).toEqual([`environments/dev.yaml:1  targets[0].url  ${message}`]);
  });

  test('twice', () => {
    expect(withTargets('[unix:///var/run/docker.sock, unix:///run/docker.sock]')).toEqual([
      'environments/dev.yaml:1  targets[1]  is the same Docker Engine as dev-1',
    ]);
    expect(withTargets('[ssh://a@host, ssh://b@host:22]')[0]).toContain('is the same Docker Engine');
    expect(withTargets('[{ name: a, url: ssh://one }, { name: a, url: ssh://two }]')).toEqual([
      'environments/dev.yaml:1  targets[1].name  a is also the name of ssh://one',
    ]);
  });

  test.each([
    ['address: "web-1:80"', 'address  expected a host name or address without port, got "web-1:80"'],
    ['address: "[::1]"', 'address  expected a host name or address without port, got "[::1]"'],
    ['address: "1:2:3"', 'address  expected a host name or address without port, got "1:2:3"'],
    ['address: -web', 'address  expected a host name or address without port, got "-web"'],
    ['jump: "ops@[::1::]:22"', 'jump  expected user@host:port, got "ops@[::1::]:22"'],
    ['jump: "ops@2001:db8::7"', 'jump  expected user@host:port, got "ops@2001:db8::7"'],
  ])('with %s', (setting, message) => {
    expect(withTargets(`[{ url: ssh://web-1, ${setting} }]`)).toEqual([
      `environments/dev.yaml:1  targets[0].${message}`,
    ]);
  });

  test.each(['address: "::1"', 'address: "2001:db8::"', 'address: 10.0.0.7', 'jump: "ops@[2001:db8::7]:2222"'])(
    'may have %s',
    (setting) => {
      expect(withTargets(`[{ url: "ssh://deploy@[2001:db8::8]", ${setting} }]`)).toEqual([]);
    },
  );

  test('ssh settings of a socket', () => {
    expect(withTargets('[{ url: "unix:///run/docker.sock", jump: gate }]')).toEqual([
      'environments/dev.yaml:1  targets[0].jump  is for ssh:// targets only',
    ]);
  });

  test('tls that is not whole, or of another kind of target', () => {
    const tls = (text: string, url = 'tcp://prod-1:2376') => withTargets(`[{ url: "${url}", tls: ${text} }]`);
    const at = 'environments/dev.yaml:1  targets[0]';
    expect(tls('{ cert: a.pem, key: b.pem }')).toEqual([`${at}.tls.ca  is missing: expected the PEM file of the CA`]);
    expect(tls('{ ca: a.pem, ket: b.pem }')).toEqual([
      `${at}.tls.cert  is missing: expected the PEM file of the client certificate`,
      `${at}.tls.key  is missing: expected the PEM file of its private key`,
      `${at}.tls.ket  unknown key, did you mean key?`,
    ]);
    expect(tls('{ ca: "", cert: 5, key: c.pem }')).toEqual([
      `${at}.tls.ca  expected the PEM file of the CA, got nothing`,
      `${at}.tls.cert  expected the PEM file of the client certificate, got 5`,
    ]);
    const whole = '{ ca: a.pem, cert: b.pem, key: c.pem }';
    expect(tls(whole)).toEqual([]);
    expect(tls(whole, 'ssh://prod-1')).toEqual([`${at}.tls  is for tcp:// targets only`]);
    expect(tls(whole, 'unix:///run/docker.sock')).toEqual([`${at}.tls  is for tcp:// targets only`]);
    expect(tls(`${whole}, hostKey: "SHA256:${'a'.repeat(43)}"`)).toEqual([`${at}.hostKey  is for ssh:// targets only`]);
    expect(withTargets('["tcp://127.0.0.1:2375", "tcp://[::1]:2375", "tcp://localhost:2375"]')).toEqual([]);
    expect(withTargets(`["tcp://localhost:1", { url: "tcp://LOCALHOST:1", tls: ${whole} }]`)[0]).toContain(
      'is the same',
    );
  });

  test('wrong shapes', () => {
    expect(withTargets('ssh://host')).toEqual([
      'environments/dev.yaml:1  targets  expected a list of targets, { kind: swarm, … }, { kind: lxc, … } or { kind: vm, … }, got "ssh://host"',
    ]);
    expect(withTargets('[5]')).toEqual([
      'environments/dev.yaml:1  targets[0]  expected a URL such as ssh://deploy@web-1.example.com, got 5',
    ]);
    expect(withTargets('[{ ulr: ssh://host }]')).toEqual([
      'environments/dev.yaml:1  targets[0].url  is missing: expected a URL such as ssh://deploy@web-1.example.com',
      'environments/dev.yaml:1  targets[0].ulr  unknown key, did you mean url?',
    ]);
  });
});

describe('a swarm', () => {
  const swarm = '{ kind: swarm, managers: [ssh://a.example.com, ssh://b.example.com] }';

  test.each([
    ['{ kind: kubernetes, managers: [ssh://host] }', 'targets.kind  expected swarm, lxc or vm, got "kubernetes"'],
    ['{ managers: [ssh://host] }', 'targets.kind  is missing: expected swarm, lxc or vm'],
    ['{ kind: swarm }', 'targets.managers  is missing: expected a list of managers'],
    ['{ kind: swarm, managers: [] }', 'targets.managers  expected at least one manager'],
    ['{ kind: swarm, managers: [ssh://host], mangers: [] }', 'targets.mangers  unknown key, did you mean managers?'],
    ['{ kind: swarm, managers: [ssh://a, ssh://a] }', 'targets.managers[1]  is the same Docker Engine as dev-1'],
    [
      '{ kind: swarm, managers: [{ url: ssh://a, name: swarm }] }',
      'targets.managers[0].name  swarm is what the swarm itself is called',
    ],
    [
      '{ kind: swarm, managers: [{ url: "unix:///run/docker.sock", jump: gate }] }',
      'targets.managers[0].jump  is for ssh:// targets only',
    ],
  ])('%s', (targets, problem) => {
    expect(withTargets(targets)).toEqual([`environments/dev.yaml:1  ${problem}`]);
  });

  test('places its replicas itself', () => {
    const lockage = common.replace('{ port: 8080 }', '{ port: 8080, hosts: [a] }');
    expect(problemsOf(lockage, { dev: `targets: ${swarm}\n` })).toEqual([
      'lockage.yaml:4  roles.web.hosts  is for hosts: dev is a swarm, which places the replicas itself',
    ]);
  });

  test('publishes each role on every manager', () => {
    const lockage = common.replace('{ port: 8080 }', '{ port: 8080 }\n  api: { port: 8081 }');
    expect(problemsOf(lockage, { dev: `targets: ${swarm}\n` })).toEqual([
      'lockage.yaml:5  roles.api.publish  port 80 of a is taken by role web',
      'lockage.yaml:5  roles.api.publish  port 80 of b is taken by role web',
    ]);
  });
});

describe('the registry of this computer', () => {
  const embedded = common.replace(/^repository.*\n/m, '');
  const instead = 'write `repository: registry.example.com/shop` in lockage.yaml';
  const withTls = '{ url: "tcp://10.0.0.1:2376", tls: { ca: ca.pem, cert: cert.pem, key: key.pem } }';

  test('serves hosts that are reached by ssh, machines, and engines of this computer', () => {
    for (const targets of [
      '[ssh://a, unix:///run/docker.sock, "tcp://127.0.0.1:2375"]',
      '{ kind: lxc }',
      '{ kind: vm }',
    ])
      expect(problemsOf(embedded, { dev: `targets: ${targets}\n` })).toEqual([]);
  });

  test('refuses those that cannot come to it, and says what to write', () => {
    expect(problemsOf(embedded, { dev: `targets: [ssh://a, ${withTls}]\n` })).toEqual([
      `environments/dev.yaml:1  targets  dev-2 (tcp://) cannot reach the embedded registry, which takes ssh: ${instead}`,
    ]);
    expect(problemsOf(embedded, { dev: 'targets: { kind: swarm, managers: [ssh://a] }\n' })).toEqual([
      "environments/dev.yaml:1  targets  a swarm's nodes pull for themselves, and no repository is configured: " +
        instead,
    ]);
    expect(problemsOf(common, { dev: `targets: [ssh://a, ${withTls}]\n` })).toEqual([]);
  });
});

describe('images through ssh', () => {
  const through = 'registry: { through: ssh }';
  const instead = "write `registry: { through: network }` in that environment's file";

  test('are for hosts that are reached by ssh, and machines, which are', () => {
    expect(inCommon(through)).toEqual([]);
    expect(inDev(through)).toEqual([]);
    expect(problemsOf(`${common}${through}\n`, { dev: 'targets: { kind: lxc }\n' })).toEqual([]);
  });

  test('refuse other targets by name, and a swarm', () => {
    const targets = 'targets: [ssh://a.example.com, unix:///run/docker.sock]\n';
    expect(problemsOf(`${common}${through}\npipeline: [dev, qa]\n`, { dev: own, qa: targets })).toEqual([
      'lockage.yaml:5  registry.through  images come through ssh, but not all targets are ssh://: ' +
        `qa-2 (unix://). ${instead} (in qa)`,
    ]);
    expect(problemsOf(common, { dev: `targets: { kind: swarm, managers: [ssh://a] }\n${through}\n` })).toEqual([
      `environments/dev.yaml:2  registry.through  images cannot come through ssh to a swarm, whose nodes pull for themselves: ${instead}`,
    ]);
  });

  test('or not, as an environment says itself', () => {
    const dev = 'targets: [unix:///run/docker.sock]\nregistry: { through: network }\n';
    expect(problemsOf(`${common}${through}\n`, { dev })).toEqual([]);
    expect(inCommon('registry: { through: tls }')).toEqual([
      'lockage.yaml:5  registry.through  expected network or ssh, got "tls"',
    ]);
  });
});
