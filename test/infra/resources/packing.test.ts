import { expect, test } from 'vitest';
import { packed, unpacked } from '../../../infra/resources/packing.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import { host, placed, spec } from '../../pipelines/model/values.ts';

const swarm: Swarm = { kind: 'swarm', name: 'swarm', managers: [host('prod-1')] };
const prod1 = { name: 'prod-1', url: 'unix:///run/prod-1.sock', address: '10.0.0.1' };
const content = (inputs: object) => JSON.parse(packed(inputs).content) as unknown;

test.each<[string, object]>([
  ['a container', { host: host('prod-1'), spec: spec('web-1.0.0') }],
  ['a service', { host: swarm, spec: spec('web-1.0.0', 'swarm') }],
  ['a verification', { wake: [], containers: [placed('web-1.0.0')], routes: [{ host: host('prod-1'), set: {} }] }],
  ['routes', { operation: 'a', hosts: [{ host: host('prod-1'), set: { 80: { primary: 'a', fallback: 'a' } } }] }],
  ['a foundation', { hosts: [host('prod-1')], edges: { 'prod-1': 'a' } }],
  ['a machine', { host: 'qa-1', name: 'shop-qa-machine-1' }],
])('%s is read as it was recorded', (_, inputs) => {
  expect(unpacked(packed(inputs))).toEqual(inputs);
  expect(packed(unpacked(packed(inputs)) as object)).toEqual(packed(inputs));
});

test('state keeps hosts and swarms in the form that they always had', () => {
  expect(content({ host: swarm })).toEqual({ host: { name: 'swarm', url: 'swarm:', address: '', managers: [prod1] } });
  expect(content({ hosts: [host('prod-1')] })).toEqual({ hosts: [prod1] });
  expect(content({ hosts: [{ host: host('prod-1'), set: {} }] })).toEqual({ hosts: [{ host: prod1, set: {} }] });
});

test('what a user wrote is no host, whatever it is called', () => {
  const env = { host: 'db', hosts: 'a,b', kind: 'host', managers: 'x', url: 'swarm:' };
  const inputs = { host: host('prod-1'), spec: spec('web-1.0.0', 'prod-1', { env }) };
  expect(unpacked(packed(inputs))).toEqual(inputs);
});
