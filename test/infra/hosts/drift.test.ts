import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { Connections } from '../../../infra/docker/connections.ts';
import { findDrift, parityDrift } from '../../../infra/hosts/drift.ts';
import type { Trait } from '../../../pipelines/model/host-traits.ts';
import { pending } from '../../../pipelines/model/target.ts';
import { environment, record, spec } from '../../pipelines/model/values.ts';

const hosts = [
  ['prod-1', '6.1', '24.0'],
  ['prod-2', '6.1', '24.0'],
  ['prod-3', '5.10', '20.10'],
].map(([host = '', kernel = '', engine = '']) => ({
  ...{ environment: 'prod', host },
  traits: { 'kernel.minor': kernel, 'engine.minor': engine },
}));

test.each<[string, readonly Trait[], readonly object[]]>([
  ['nothing has to be the same', [], []],
  [
    'the kernel has to be the same',
    ['kernel.minor'],
    [{ what: 'prod-3', member: 'kernel.minor', expected: '6.1', actual: '5.10' }],
  ],
])('a host that is unlike the others is drift where %s', (_case, same, expected) => {
  expect(parityDrift(hosts, same)).toEqual(expected);
});

test('a machine that is still to be made has not drifted, unless something is recorded to run there', async () => {
  const machine = pending('prod-1');
  const found = (containers: Parameters<typeof record>[1]) => {
    const recorded = { record: record([], containers), standing: { edges: [], accessories: [] } };
    const connections = new Connections({ stateDir: tmpdir() });
    return findDrift(connections, 'shop', environment({ hosts: [machine] }), recorded, { first: 1000 });
  };
  expect(await found([])).toEqual([]);
  expect(await found([{ host: machine, spec: spec('web-1.0.0') }])).toEqual([
    { host: machine, error: 'prod-1 is not made yet' },
  ]);
});
