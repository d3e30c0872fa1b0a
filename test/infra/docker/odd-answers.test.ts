import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Connections } from '../../../infra/docker/connections.ts';
import { Engine } from '../../../infra/docker/api/client.ts';
import { findDrift } from '../../../infra/hosts/drift.ts';
import { askEngine } from '../../../infra/hosts/engine-report.ts';
import { hostFacts } from '../../../infra/hosts/facts.ts';
import { keptRecords } from '../../../infra/hosts/kept-record.ts';
import { observe } from '../../../infra/hosts/observe.ts';
import { standingOn } from '../../../infra/hosts/standing.ts';
import { refuseForeignParts } from '../../../infra/hosts/foreign-parts.ts';
import { hostPreflight } from '../../../infra/workloads/container/host-report.ts';
import { lookAt } from '../../../infra/workloads/container/host-look.ts';
import { LockageError } from '../../../pipelines/errors.ts';
import { obstacles, oddities } from '../../../pipelines/hosts/abilities.ts';
import { environment, hostWith, record, release, spec } from '../../pipelines/model/values.ts';
import { withOddity } from '../../support/odd-json.ts';

const labels = {
  'lockage.app': 'shop',
  'lockage.environment': 'prod',
  'lockage.part': 'release',
  'lockage.role': 'web',
};

/** What an engine answers, path by path. */
const honest: Readonly<Record<string, unknown>> = {
  '/version': {
    ApiVersion: '1.43',
    MinAPIVersion: '1.24',
    Version: '24.0.7',
    Os: 'linux',
    Arch: 'amd64',
    KernelVersion: '6.1.0',
  },
  '/info': {
    ...{
      ID: 'A:B',
      OSType: 'linux',
      OperatingSystem: 'Debian 12',
      SystemTime: '2026-01-01T00:00:00Z',
      NCPU: 4,
      MemTotal: 8e9,
    },
    ...{ DockerRootDir: '/var/lib/docker', Driver: 'overlay2', CgroupVersion: '2', SecurityOptions: ['name=apparmor'] },
    Swarm: { NodeID: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', Cluster: null },
  },
  '/containers/json': [
    {
      ...{ Id: 'c1', Names: ['/shop-prod-web-1'], Image: 'shop', State: 'running', Created: 1, Labels: labels },
      ...{
        Ports: [{ PublicPort: 8000 }],
        Mounts: [{ Type: 'volume', Name: 'v', Source: '/v', Destination: '/run/secrets' }],
      },
    },
  ],
  '/containers/c1/json': {
    ...{ Id: 'c1', Name: '/shop-prod-edge', Image: 'sha256:1', RestartCount: 0 },
    State: { Running: true, Status: 'running', StartedAt: '2026-01-01T00:00:00Z', ExitCode: 0 },
    Config: { Labels: labels, Env: ['A=b'], Tty: false, Image: 'shop' },
    ...{
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } },
      Mounts: [],
      NetworkSettings: { Networks: {} },
    },
  },
  '/networks': [{ Name: 'bridge', Id: 'n', Labels: {}, IPAM: { Config: [{ Subnet: '172.17.0.0/16' }] } }],
  '/networks/n': { Name: 'shop-prod', Id: 'n', Scope: 'local', Labels: labels, Options: {} },
  '/volumes': { Volumes: [{ Name: 'v', Labels: labels }] },
  '/volumes/v': { Name: 'v', Labels: labels },
  '/images/json': [{ Id: 'i', Size: 1, RepoTags: ['shop:1'], RepoDigests: ['shop@sha256:1'] }],
  '/images/i/json': { Id: 'i', Config: { Volumes: {}, Env: [], Labels: {} } },
  '/system/df': {
    LayersSize: 1,
    Images: [{ Id: 'i', RepoTags: ['shop:1'] }],
    Volumes: [{ Name: 'v', UsageData: { Size: 1 } }],
  },
};

/** Names in paths may be any: all things of a kind are alike. */
const kindOf = (path: string) =>
  path
    .replace(/^\/v1\.\d+/, '')
    .replace(/^\/containers\/[^/]+\/json/, '/containers/c1/json')
    .replace(/^\/networks\/.+/, '/networks/n')
    .replace(/^\/volumes\/.+/, '/volumes/v')
    .replace(/^\/images\/.+\/json/, '/images/i/json');

let folder: string;
let server: Server;
let lie: { path: string; body: Buffer | string } | undefined;
let engine: Engine;
let connections: Connections;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-odd-'));
  server = createServer(({ url = '', method }, response) => {
    const path = kindOf(new URL(url, 'http://engine').pathname);
    if (lie?.path === path) return void response.end(lie.body);
    const found = method === 'GET' ? honest[path] : undefined;
    response.writeHead(found === undefined ? 404 : 200).end(JSON.stringify(found ?? { message: 'no such thing' }));
  });
  await new Promise<void>((resolve) => server.listen(join(folder, 'docker.sock'), resolve));
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  engine = new Engine({ host: 'prod-1', socketPath: join(folder, 'docker.sock') });
  connections = new Connections({ stateDir: folder });
});

afterEach(async () => {
  engine.close();
  await connections.close();
  lie = undefined;
});

/** Everything that commands ask an engine before they change anything. */
async function askAll(): Promise<unknown[]> {
  const host = hostWith('prod-1', { url: `unix://${folder}/docker.sock` });
  const prod = environment({ hosts: [host] });
  const place = { app: 'shop', environment: 'prod' };
  const { signal } = new AbortController();
  const asked = await Promise.allSettled([
    hostFacts(engine, host, { edge: 'shop-prod-edge', retained: [release('1.0.0')], signal }),
    askEngine(engine, { host, place, ports: [] }),
    lookAt(engine, host, { app: 'shop', environment: prod }).then((look) => [obstacles(look), oddities(look)]),
    hostPreflight(host, { connections, app: 'shop', environment: prod, hosts: [] }, ['storage']),
    standingOn(engine, host, place),
    refuseForeignParts(engine, 'shop', prod, host),
    keptRecords(connections, place, [host]),
    observe(connections, 'shop', prod, record([]), { timeouts: { first: 5000, total: 5000 } }),
    findDrift(
      connections,
      'shop',
      prod,
      {
        record: record([], [{ host, spec: spec('web-1.0.0') }]),
        standing: { edges: [], accessories: [] },
      },
      { first: 5000 },
    ).then(expectOurs),
    engine.namedImages(),
    engine.volumeUse(),
    engine.inspectImage('shop'),
    engine.volumesWith('lockage.app'),
  ]);
  return asked.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
}

/** Hosts are asked each for itself, so that whatever one of them says ends in a text. */
function expectOurs(found: readonly object[]): void {
  for (const each of found) {
    const { error = '' } = each as { readonly error?: string };
    if (/^Cannot |is not (a function|iterable|defined)|undefined \(/.test(error)) throw new TypeError(error);
  }
}

function expectExplained(errors: readonly unknown[]): void {
  for (const error of errors) {
    if (!(error instanceof LockageError)) throw error;
    // eslint-disable-next-line no-control-regex
    expect(error.message).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  }
}

const bodies: readonly (readonly [string, Buffer | string])[] = [
  ['nothing', ''],
  ['null', 'null'],
  ['a number', '1e999'],
  ['text', '"\\u001b]0;title\\u0007"'],
  ['a list of null', '[null]'],
  ['a list of lists', '[[[]]]'],
  ['an empty object', '{}'],
  ['HTML', '<html>\u001b[31mSign in</html>'],
  ['half of it', '{"ApiVersion":"1.4'],
  ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe, 0x1b, 0x5b, 0x33, 0x31, 0x6d])],
  ['a prototype', '{"__proto__":{"Version":"1"},"constructor":null}'],
  ['what is very deep', '['.repeat(100_000) + ']'.repeat(100_000)],
];

describe.each(Object.keys(honest))('an engine that answers %s', (path) => {
  test.each(bodies)('with %s is refused in a sentence, or does no harm', async (_what, body) => {
    lie = { path, body };
    expectExplained(await askAll());
  });

  test('with anything in the place of anything else does the same', async () => {
    await fc.assert(
      fc.asyncProperty(withOddity(honest[path]), async (odd) => {
        lie = { path, body: JSON.stringify(odd) ?? '' };
        engine.close();
        engine = new Engine({ host: 'prod-1', socketPath: join(folder, 'docker.sock') });
        expectExplained(await askAll());
      }),
      { numRuns: 25 },
    );
  });
});

describe('an engine that takes an image in', () => {
  const load = () => engine.loadImage('shop', async function* () {}).catch((error: unknown) => error);

  test.each<readonly [string, Buffer | string, RegExp]>([
    ['a failure', '{"errorDetail":{"message":"no space left"},"error":"no space left"}\r\n', /: no space left$/],
    ['a failure after progress', '{"stream":"Loading"}\r\n{"error":"it is \\"broken\\""}', /: it is "broken"$/],
    ['a failure of many parts', '{"errorDetail":{"code":1,"message":"exit"}}', /: exit$/],
    ['many failures that never end', '"errorDetail":{'.repeat(150_000), /that is not JSON/],
    ['a failure that never ends', `"errorDetail":{"message":"${'\\\\'.repeat(2_000_000)}`, /that is not JSON/],
    ...bodies
      .filter(([, body]) => /^[<"]|^\{"A/.test(String(body)))
      .map(([what, body]) => [what, body, /an answer/] as const),
  ])('and answers %s is believed, in a sentence and at once', async (_what, body, message) => {
    lie = { path: '/images/load', body };
    const began = performance.now();
    const error = await load();
    expect(performance.now() - began).toBeLessThan(3000);
    expectExplained([error]);
    expect((error as LockageError).message).toMatch(message);
  });

  test.each(['', '{"stream":"Loaded image: shop:1\\n"}\r\n', '{}', '{"stream":null}\n\n'])(
    'and answers %j has done so',
    async (body) => {
      lie = { path: '/images/load', body };
      expect(await load()).toBeUndefined();
    },
  );
});

test.each([{}, { Destination: null, Source: null }])(
  'a mount of which an engine tells %j does no harm',
  async (mount) => {
    const path = '/containers/c1/json';
    lie = { path, body: JSON.stringify({ ...(honest[path] as object), Mounts: [mount] }) };
    const [errors, found] = [await askAll(), await engine.inspectContainer('c1')];
    expectExplained(errors);
    expect(found?.Mounts).toEqual([{ ...mount, Source: '', Destination: '' }]);
  },
);

test('an honest engine is asked for all of it', async () => {
  const errors = await askAll();
  expectExplained(errors);
  // Port 80 has other owners' containers, and no edge keeps a record.
  expect(errors).toEqual([]);
});
