import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EnvironmentLocks } from '../../../infra/adapters/environment-lock.ts';
import { HostsAdapter } from '../../../infra/adapters/hosts.ts';
import { LockKeeper } from '../../../infra/hosts/lock-keeper.ts';
import { RegistryClient } from '../../../infra/registry/client.ts';
import type { Trait } from '../../../pipelines/model/host-traits.ts';
import { environment, hostWith, record } from '../../pipelines/model/values.ts';
import { sessionIn } from '../../support/context-fixture.ts';

let folder: string;
let server: Server;
let asked: string[];
/** what the clock of the host says; absent: it says nothing */
let time: (() => number) | undefined;
const { signal } = new AbortController();

const edge = {
  ...{ Id: 'e', Names: ['/shop-prod-edge'], State: 'running', Mounts: [], Ports: [] },
  Labels: { 'lockage.app': 'shop', 'lockage.environment': 'prod', 'lockage.part': 'edge' },
};
let containers: readonly object[];
const answers: Readonly<Record<string, unknown>> = {
  '/version': {
    Version: '24.0.7',
    ApiVersion: '1.43',
    MinAPIVersion: '1.24',
    Os: 'linux',
    Arch: 'amd64',
    KernelVersion: '6.1.0',
  },
  '/info': { MemoryLimit: false, OperatingSystem: 'Debian 12', Driver: 'overlay2', CgroupVersion: '2' },
  '/networks': [{ Name: 'bridge', IPAM: { Config: [{ Subnet: '172.17.0.0/16' }] } }],
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-preflight-'));
  asked = [];
  containers = [edge];
  time = undefined;
  server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v1\.\d+/, '').replace(/\?.*/, '');
    asked.push(path);
    const answer = path === '/containers/json' ? containers : (answers[path] ?? {});
    const told = path === '/info' && time ? { ...answer, SystemTime: new Date(time()).toISOString() } : answer;
    response.end(JSON.stringify(told));
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'docker.sock'), resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const here = () => environment({ hosts: [hostWith('prod-1', { url: `unix://${folder}/docker.sock` })] });
const engines = () => {
  const session = sessionIn(folder, { signal });
  const keeper = new LockKeeper({ app: 'shop', actor: 'anna@desk', connections: session.connections, lease: 90_000 });
  const records = { environment: async () => record([]), seen: async () => record([]) };
  const stacks = async () => ({ cancelLocks: async () => undefined });
  const locks = new EnvironmentLocks({ app: 'shop', session, keeper, records, stacks });
  return new HostsAdapter('shop', session, new RegistryClient({ insecure: [], signal }), locks);
};

const cheap = { architecture: 'amd64', 'kernel.minor': '6.1', engine: '24.0.7', 'engine.minor': '24.0' };

test.each<[string, readonly Trait[]]>([
  ['nothing', []],
  ['what the version says', ['architecture', 'engine.minor', 'kernel.minor']],
])('a preflight that compares %s asks no host for more than without', async (_what, wanted) => {
  const [report] = await engines().preflight(here(), wanted);
  expect(report?.traits).toEqual(cheap);
  expect(asked).not.toContain('/info');
});

test('one that compares storage asks each host once more', async () => {
  const [report] = await engines().preflight(here(), ['storage']);
  expect(report?.traits).toEqual({ ...cheap, os: 'Debian 12', storage: 'overlay2', cgroup: '2' });
  expect(asked.filter((path) => path === '/info')).toHaveLength(1);
});

test('a host where nothing of the environment runs yet is asked whether it could', async () => {
  containers = [];
  const [report] = await engines().preflight(here());
  expect(report?.warnings).toEqual(['its kernel does not keep limits.memory: a container may take all there is']);
  expect(asked).toEqual(expect.arrayContaining(['/info', '/networks']));
});

test('hosts say what time it is, and one that does not answer, or has no clock, says why', async () => {
  const [prod] = here().hosts;
  const gone = hostWith('prod-2', { url: `unix://${folder}/gone.sock` });
  const hosts = [...(prod ? [prod] : []), gone];
  expect(await engines().clocks(environment({ hosts }))).toEqual([
    { host: 'prod-1', error: 'its engine does not tell' },
    { host: 'prod-2', error: expect.stringContaining('prod-2') },
  ]);
  time = () => Date.now() + 86_400_000;
  const [clock] = await engines().clocks(here());
  if (!clock || 'error' in clock) throw new Error('it tells its time');
  expect(Math.abs(clock.ahead - 86_400_000)).toBeLessThanOrEqual(clock.precision + 2);
});

test('hosts to be compared with that do not answer are named', async () => {
  const gone = environment({
    name: 'qa',
    hosts: [hostWith('qa-1', { url: `unix://${folder}/gone.sock` })],
  });
  await expect(engines().traits(gone, ['storage'])).rejects.toMatchObject({
    message: '1 of 1 hosts of qa cannot be compared with',
    details: [expect.stringContaining('qa-1: ')],
    name: 'LockageError',
  });
});
