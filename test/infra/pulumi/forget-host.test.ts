import { expect, test } from 'vitest';
import { withoutHost } from '../../../infra/pulumi/forget-host.ts';
import { isFormerStanding, withoutResources, type Deployment } from '../../../infra/pulumi/without-resources.ts';
import { packed, unpacked } from '../../../infra/resources/packing.ts';
import { host as hostNamed } from '../../pipelines/model/values.ts';

const urn = (type: string, name: string) => `urn:pulumi:prod::shop::${type}::${name}`;
const docker = (host: string) => urn('pulumi:providers:docker', host);
const container = (host: string) => ({
  urn: urn('lockage:index:Container', `web-${host}`),
  type: 'lockage:index:Container',
  inputs: packed({ host: hostNamed(host) }),
});
const edge = (host: string) => ({
  urn: urn('docker:index/container:Container', `${host}-edge`),
  type: 'docker:index/container:Container',
  provider: `${docker(host)}::0b1c`,
});

const deployment: Deployment = {
  resources: [
    ...['prod-1', 'prod-11'].map((host) => ({ urn: docker(host), type: 'pulumi:providers:docker' })),
    ...['prod-1', 'prod-11'].flatMap((host) => [container(host), edge(host)]),
    {
      urn: urn('lockage:index:Verification', 'verification'),
      type: 'lockage:index:Verification',
      dependencies: [container('prod-1').urn, container('prod-11').urn],
      propertyDependencies: { content: [container('prod-1').urn] },
    },
    {
      urn: urn('lockage:index:Foundation', 'foundation'),
      type: 'lockage:index:Foundation',
      inputs: packed({ fingerprint: 'f', edges: { 'prod-1': 'a', 'prod-11': 'b' }, hosts: [hostNamed('prod-1')] }),
    },
    {
      urn: urn('lockage:index:Ledger', 'ledger'),
      type: 'lockage:index:Ledger',
      inputs: { app: 'shop', environment: 'prod', revisions: '[{"number":4}]', cordons: [{ host: 'prod-1' }] },
    },
  ],
};

test('a host that is gone leaves nothing in a stack, and its neighbour of a longer name everything', () => {
  const { resources = [] } = withoutHost(deployment, 'prod-1');
  const names = resources.map((resource) => resource.urn.split('::').slice(2).join(' '));
  expect(names.filter((name) => /prod-/.test(name))).toEqual([
    'pulumi:providers:docker prod-11',
    'lockage:index:Container web-prod-11',
    'docker:index/container:Container prod-11-edge',
  ]);
  const found = (kind: string) => resources.find(({ type }) => type === `lockage:index:${kind}`);
  expect(found('Verification')).toMatchObject({
    dependencies: [container('prod-11').urn],
    propertyDependencies: { content: [] },
  });
  // Another fingerprint has the foundation looked at again.
  expect(unpacked(found('Foundation')?.inputs)).toMatchObject({
    fingerprint: '',
    edges: { 'prod-11': 'b' },
    hosts: [],
  });
  expect(found('Ledger')?.inputs).toEqual({
    app: 'shop',
    environment: 'prod',
    revisions: '[{"number":4}]',
    changed: 5,
  });
});

test('edges and accessories of ours go with their host too', () => {
  const on = (kind: string, host: string) => ({
    urn: urn(`lockage:index:${kind}`, `${host}-${kind}`),
    type: `lockage:index:${kind}`,
    inputs: packed({ host: hostNamed(host) }),
  });
  const kinds = ['Edge', 'Accessory', 'SecretFiles'];
  const both = { resources: ['prod-1', 'prod-2'].flatMap((host) => kinds.map((kind) => on(kind, host))) };
  const { resources = [] } = withoutHost(both, 'prod-1');
  expect(resources.map(({ urn: name }) => name.split('::').at(-1))).toEqual(kinds.map((kind) => `prod-2-${kind}`));
});

test('edges of before are forgotten, with what depends on them, and their networks are not', () => {
  const network = { urn: urn('docker:index/network:Network', 'prod-1-network'), type: 'docker:index/network:Network' };
  const foundation = { urn: urn('lockage:index:Foundation', 'foundation'), type: 'lockage:index:Foundation' };
  const dependencies = [network.urn, edge('prod-1').urn];
  const before = { resources: [network, edge('prod-1'), { ...foundation, dependencies }] };
  expect(withoutResources(before, isFormerStanding)).toEqual({
    resources: [network, { ...foundation, dependencies: [network.urn] }],
  });
});
