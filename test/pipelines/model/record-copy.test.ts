import { expect, test } from 'vitest';
import { copyOf, sameRecord, textOfCopy, type RecordCopy } from '../../../pipelines/model/record-copy.ts';
import type { Swarm } from '../../../pipelines/model/target.ts';
import { host, hostWith, placed, revision, spec } from './values.ts';

const ssh = hostWith('prod-1', { url: 'ssh://deploy@10.0.0.1', hostKey: 'SHA256:abc' });
const swarm: Swarm = { kind: 'swarm', name: 'swarm', managers: [host('m-1'), host('m-2')] };
const hold = { since: '2026-01-01T00:00:00Z', actor: 'anna@desk', reason: 'slow', version: '1.1.0' };
const cordon = { host: 'prod-2', since: '2026-01-01T00:00:00Z', actor: 'anna@desk', reason: 'disk' };

function copy(changes: Partial<RecordCopy> = {}): RecordCopy {
  const containers = [
    { host: ssh, spec: spec('web-1.0.0') },
    placed('web-1.0.0', 'prod-2'),
    { host: swarm, spec: spec('web-1.0.0', 'swarm') },
  ];
  const ledger = { revisions: [revision(6, '1.1.0'), revision(7, '1.0.0')], hold, cordons: [cordon] };
  const migration = { host: ssh, spec: spec('migration-1.0.0'), timeout: 1000 };
  const recorded = { ledger, containers, migration, secrets: [{ name: 'TOKEN', version: 'ab12' }] };
  return { app: 'shop', environment: 'prod', operation: 'op', record: recorded, ...changes };
}

test('a copy is read as it was written', () => {
  expect(copyOf(textOfCopy(copy()))).toEqual(copy());
});

test('a copy says of which revision it is', () => {
  expect(JSON.parse(textOfCopy(copy()))).toMatchObject({ format: 1, revision: 7, operation: 'op' });
});

test('what hosts keep today stays readable', () => {
  const web = '{"alias":"web","host":"prod-1","name":"web","role":"web","version":"1.0.0"}';
  const at = '{"address":"10.0.0.1","name":"prod-1","url":"unix:///run/prod-1.sock"}';
  const text =
    '{"app":"shop","environment":"prod","format":1,"operation":"op","record":{"containers":' +
    `[{"host":${at},"spec":${web}}],"ledger":{"revisions":[{"number":7}]},"migration":{"host":${at},"spec":${web},` +
    '"timeout":5},"secrets":[{"name":"TOKEN","version":"ab12"}]},"revision":7}';
  const read = copyOf(text);
  expect(read.record.containers[0]).toMatchObject({ host: host('prod-1'), spec: { name: 'web' } });
  expect(textOfCopy(read)).toBe(text);
});

test('a copy of a later version of Lockage is refused', () => {
  const later = JSON.stringify({ ...JSON.parse(textOfCopy(copy())), format: 2 });
  expect(() => copyOf(later)).toThrow('the copy of the record of prod has format 2, and 1 is known here');
});

test('copies are the same whoever wrote them, and differ by what is recorded', () => {
  const { hold: _, ...resumed } = copy().record.ledger;
  expect(sameRecord(copy(), copy({ operation: 'other' }))).toBe(true);
  expect(sameRecord(copy(), copy({ record: { ...copy().record, ledger: resumed } }))).toBe(false);
});
