import { expect, test } from 'vitest';
import { fromRecord, sshHostOf, toRecord, type TargetRecord } from '../../../pipelines/model/target-record.ts';
import { pending } from '../../../pipelines/model/target.ts';
import { host } from './values.ts';

const tls = { ca: '/keys/ca.pem', cert: '/keys/cert.pem', key: '~/key.pem' };
const records: readonly [string, TargetRecord][] = [
  ['a socket', { name: 'dev-1', url: 'unix:///var/run/docker.sock', address: '127.0.0.1' }],
  ['ssh', { name: 'qa-1', url: 'ssh://a@b', address: 'b', identity: '/id', jump: 'c@d:2222', hostKey: 'SHA256:x' }],
  ['a port', { name: 'qa-2', url: 'tcp://b:2376', address: '10.0.0.1', tls }],
  ['a machine to come', { name: 'qa-1b', url: 'machine://qa-1b', address: 'qa-1b' }],
];
const managers = records.slice(0, 3).map(([, record]) => record);

test.each([...records, ['a swarm', { name: 'swarm', url: 'swarm:', address: '', managers }] as const])(
  '%s is recorded as it was read',
  (_, record) => {
    expect(toRecord(fromRecord(record))).toEqual(record);
  },
);

test('what is printed as JSON has the members that it always had', () => {
  const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
  expect(json(toRecord(host('prod-1')))).toEqual({
    name: 'prod-1',
    url: 'unix:///run/prod-1.sock',
    address: '10.0.0.1',
  });
  expect(json(toRecord(pending('qa-1')))).toEqual({ name: 'qa-1', url: 'machine://qa-1', address: 'qa-1' });
  expect(json(toRecord({ kind: 'swarm', name: 'swarm', managers: [host('prod-1')] }))).toEqual({
    name: 'swarm',
    url: 'swarm:',
    address: '',
    managers: [{ name: 'prod-1', url: 'unix:///run/prod-1.sock', address: '10.0.0.1' }],
  });
});

test('a host of another kind is none that is reached by ssh', () => {
  expect(() => sshHostOf({ name: 'prod-1', url: 'unix:///run/docker.sock', address: 'x' })).toThrow(
    'not reached by ssh',
  );
});
