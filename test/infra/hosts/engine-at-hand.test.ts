import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { engineAtHand } from '../../../infra/hosts/engine-at-hand.ts';
import { askEngine } from '../../../infra/hosts/engine-report.ts';
import { refuseLeftovers } from '../../../infra/hosts/leftovers.ts';
import { fromRecord } from '../../../pipelines/model/target-record.ts';
import { hostWith } from '../../pipelines/model/values.ts';
import { answeringEngine } from '../../support/answering-engine.ts';

const place = { app: 'shop', environment: 'prod-here' };
const labels = (environment: string) => ({ 'lockage.app': 'shop', 'lockage.environment': environment });

test.each<[string, NodeJS.ProcessEnv, object]>([
  ['a socket', { DOCKER_HOST: 'unix:///run/other.sock' }, { name: 'here', address: '127.0.0.1' }],
  ['another machine', { DOCKER_HOST: 'ssh://me@box' }, { address: 'box', endpoint: { kind: 'ssh', host: 'box' } }],
  [
    'a port with certificates',
    { DOCKER_HOST: 'tcp://box:2376', DOCKER_CERT_PATH: '/certs' },
    { endpoint: { kind: 'tcp', tls: { ca: '/certs/ca.pem', cert: '/certs/cert.pem', key: '/certs/key.pem' } } },
  ],
])('the engine at hand is that of DOCKER_HOST: %s', async (_name, variables, expected) => {
  expect(await engineAtHand(variables)).toMatchObject(expected);
});

test('an address that is none is refused by its name', async () => {
  await expect(engineAtHand({ DOCKER_HOST: 'npipe:////./pipe/docker_engine' })).rejects.toThrow(
    /^here: "npipe:.*" is no address of a Docker Engine$/,
  );
});

test('an engine says what it is, and which ports are taken: those of others, and of programs beside it', async () => {
  const program = createServer().listen(0, '0.0.0.0');
  await once(program, 'listening');
  const { port } = program.address() as AddressInfo;
  const { engine, close } = await answeringEngine({
    '/version': { ApiVersion: '1.41', Version: '20.10.24', Os: 'linux', Arch: 'amd64', KernelVersion: '6.1.0-13' },
    '/info': { OperatingSystem: 'Docker Desktop', Driver: 'overlay2', CgroupVersion: '2' },
    '/containers/json': [
      { Names: ['/shop-dev-edge'], Labels: labels('dev'), Ports: [{ PublicPort: 80 }, { PrivatePort: 9 }] },
      { Names: ['/shop-prod-here-edge'], Labels: labels('prod-here'), Ports: [{ PublicPort: 8000 }] },
    ],
  });
  const { facts, traits } = await askEngine(engine, { host: hostWith('here'), place, ports: [80, 8000, port] });
  expect([...facts.taken]).toEqual([
    [80, 'container shop-dev-edge'],
    [port, 'another program of this computer'],
  ]);
  expect([facts.platform, facts.emulates]).toEqual(['linux/amd64', ['linux/amd64', 'linux/arm64']]);
  expect(traits).toMatchObject({ engine: '20.10.24', 'kernel.minor': '6.1', architecture: 'amd64' });
  const elsewhere = fromRecord({ name: 'here', url: 'ssh://me@box', address: 'box' });
  if (elsewhere.kind !== 'host') throw new Error('it is a host');
  const there = await askEngine(engine, { host: elsewhere, place, ports: [port] });
  expect([...there.facts.taken.keys()]).toEqual([80]);
  const listens =
    '   0: 00000000:1F91 00000000:0000 0A 00000000:00000000\n   1: 0100007F:1F92 0100007F:CAFE 01 00000000:00000000\n';
  const link = { script: async () => ({ code: 0, stdout: listens, stderr: '', late: false }) as never };
  const asked = await askEngine(engine, { host: elsewhere, place, ports: [8081, 8082], link });
  expect([...asked.facts.taken]).toEqual([
    [80, 'container shop-dev-edge'],
    [8081, 'another program of here'],
  ]);
  await close();
  program.close();
});

test('what an engine has of an environment that is new here is named', async () => {
  const { engine, answers, close } = await answeringEngine({ '/containers/json': [], '/volumes': { Volumes: [] } });
  await expect(refuseLeftovers(engine, place)).resolves.toBeUndefined();
  answers['/volumes'] = { Volumes: [{ Name: 'shop-prod-here-db-data' }] };
  answers['/containers/json'] = [{ Names: ['/shop-prod-here-edge'], Labels: labels('prod-here') }];
  await expect(refuseLeftovers(engine, place)).rejects.toMatchObject({
    message: 'this engine has something of prod-here of shop that was not made from this folder',
    details: ['container shop-prod-here-edge', 'volume shop-prod-here-db-data'],
  });
  await close();
});
