import { describe, expect, test } from 'vitest';
import { cisResults, type CisContainer, type CisHost } from '../../../pipelines/inspection/cis.ts';

const container = (changes: Partial<CisContainer> = {}): CisContainer => ({
  name: 'shop-prod-web-1',
  part: 'release',
  user: '1000',
  appArmor: 'docker-default',
  security: ['no-new-privileges'],
  added: [],
  privileged: false,
  mounts: [{ source: '/var/lib/docker/volumes/x/_data', writable: true, propagation: '' }],
  ports: [],
  spaces: { network: 'shop-prod', process: '', ipc: 'private', uts: '', user: '' },
  memory: 2 ** 28,
  cpus: 1e9,
  readOnly: true,
  restart: { policy: 'unless-stopped', most: 0 },
  devices: 0,
  ulimits: 2,
  cgroupParent: '',
  checked: false,
  pids: 200,
  reasons: {},
  ...changes,
});
const host = (changes: Partial<CisHost> = {}): CisHost => ({
  name: 'prod-1',
  needsSwarm: false,
  swarm: false,
  security: ['name=apparmor', 'name=seccomp,profile=default', 'name=userns'],
  liveRestore: true,
  experimental: false,
  storage: 'overlay2',
  logDriver: 'journald',
  insecure: [],
  authorization: ['opa'],
  bridgeOpen: false,
  containers: [container()],
  ...changes,
});
const failed = (...hosts: readonly CisHost[]) =>
  cisResults(hosts).flatMap(({ id, result }) => (result === 'fail' ? [id] : []));
const result = (id: string, ...hosts: readonly CisHost[]) => cisResults(hosts).find((each) => each.id === id);

test('hosts and containers that are as Lockage makes them fail only in what runs as root', () => {
  expect(failed(host())).toEqual(['2.1']);
  expect(result('5.15', host())).toMatchObject({ result: 'accepted' });
  expect(result('5.27', host())?.details[0]).toMatch(/^prod-1 shop-prod-web-1: not by Docker \(chosen: Lockage asks/);
});

test('numbers are in the order of the benchmark, each once', () => {
  const ids = cisResults([host()]).map(({ id }) => id);
  expect(ids.slice(0, 4)).toEqual(['2.1', '2.2', '2.5', '2.6']);
  expect([ids.indexOf('2.9') < ids.indexOf('2.12'), ids.indexOf('5.9'), ids.at(-1)]).toEqual([true, -1, '5.32']);
  expect(new Set(ids).size).toBe(ids.length);
});

describe('a host', () => {
  test.each<[string, Partial<CisHost>, string]>([
    ['whose bridge is open', { bridgeOpen: true }, '2.2'],
    ['with a registry without TLS', { insecure: ['10.0.0.1:5000'] }, '2.5'],
    ['with aufs', { storage: 'aufs' }, '2.6'],
    ['without user namespaces', { security: ['name=seccomp,profile=default'] }, '2.9'],
    ['without authorization', { authorization: [] }, '2.12'],
    ['whose logs stay', { logDriver: 'json-file' }, '2.13'],
    ['without live-restore', { liveRestore: false }, '2.15'],
    ['without seccomp', { security: ['name=seccomp,profile=unconfined', 'name=userns'] }, '2.17'],
    ['with experiments', { experimental: true }, '2.18'],
    ['in a swarm for nothing', { swarm: true }, '5.1'],
  ])('%s fails %s', (_case, changes, id) => {
    expect(failed(host(changes))).toEqual(['2.1', id]);
  });

  test('of a swarm needs it, which excludes live-restore', () => {
    expect(failed(host({ swarm: true, needsSwarm: true, liveRestore: false }))).toEqual(['2.1']);
  });
});

describe('a container', () => {
  const spaces = container().spaces;
  const mount = (source: string, propagation = '') => ({ mounts: [{ source, writable: true, propagation }] });

  test.each<[string, Partial<CisContainer>, string]>([
    ['of root', { user: '' }, '4.1'],
    ['without AppArmor', { appArmor: 'unconfined' }, '5.2'],
    ['with more capabilities', { added: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] }, '5.4'],
    ['that is privileged', { privileged: true }, '5.5'],
    ['that writes to /etc', mount('/etc/cron.d'), '5.6'],
    ['with a privileged port', { ports: [{ address: '10.0.0.1', port: 80 }] }, '5.8'],
    ['on the host’s network', { spaces: { ...spaces, network: 'host' } }, '5.10'],
    ['without a limit of memory', { memory: 0 }, '5.11'],
    ['without a share', { cpus: 0 }, '5.12'],
    ['that can be written', { readOnly: false }, '5.13'],
    ['that listens anywhere', { ports: [{ address: '0.0.0.0', port: 8080 }] }, '5.14'],
    ['among the host’s processes', { spaces: { ...spaces, process: 'host' } }, '5.16'],
    ['with the host’s memory', { spaces: { ...spaces, ipc: 'host' } }, '5.17'],
    ['with a device', { devices: 1 }, '5.18'],
    ['without limits', { ulimits: 0 }, '5.19'],
    ['with a shared mount', mount('/srv', 'rshared'), '5.20'],
    ['with the host’s name', { spaces: { ...spaces, uts: 'host' } }, '5.21'],
    ['without seccomp', { security: ['no-new-privileges', 'seccomp=unconfined'] }, '5.22'],
    ['in another control group', { cgroupParent: '/other' }, '5.25'],
    ['that may gain privileges', { security: ['no-new-privileges:false'] }, '5.26'],
    ['without a limit of processes', { pids: 0 }, '5.29'],
    ['on the default bridge', { spaces: { ...spaces, network: 'bridge' } }, '5.30'],
    ['among the host’s users', { spaces: { ...spaces, user: 'host' } }, '5.31'],
    ['with Docker’s socket', mount('/run/docker.sock'), '5.32'],
  ])('%s fails %s', (_case, changes, id) => {
    expect(failed(host({ containers: [container(), container(changes)] }))).toEqual(['2.1', id]);
  });

  test('that was opened with a recorded reason says it, and is a failure where another one was not', () => {
    const open = container({ readOnly: false, reasons: { readOnly: 'it writes its cache' } });
    expect(result('5.13', host({ containers: [open] }))).toEqual({
      ...{ id: '5.13', title: 'the root file system is read-only', result: 'accepted' },
      details: ['prod-1 shop-prod-web-1: can be written (chosen: it writes its cache)'],
    });
    const written = container({ readOnly: false, reasons: { readOnly: 'it writes\n\tits \u001b[2Jcache\n' } });
    expect(result('5.13', host({ containers: [written] }))?.details).toEqual([
      'prod-1 shop-prod-web-1: can be written (chosen: it writes its \\u001b[2Jcache)',
    ]);
    const other = container({ name: 'other', readOnly: false });
    expect(result('5.13', host({ containers: [open, other] }))?.result).toBe('fail');
  });

  test('that is an edge may publish, and an accessory needs a health check of its own', () => {
    const ports = [{ address: '0.0.0.0', port: 80 }];
    expect(result('5.14', host({ containers: [container({ part: 'edge', ports })] }))?.result).toBe('accepted');
    expect(result('5.27', host({ containers: [container({ part: 'accessory' })] }))?.result).toBe('fail');
  });

  test('that removes its environment after its time has the engine’s socket for that, which is said', () => {
    const reaper = container({ part: 'reaper', user: '0:0', ...mount('/run/docker.sock') });
    expect(result('5.32', host({ containers: [reaper] }))).toMatchObject({
      result: 'accepted',
      details: [expect.stringContaining('/run/docker.sock (chosen: it removes its environment after its time')],
    });
    expect(failed(host({ containers: [reaper] }))).toEqual(['2.1']);
  });
});
