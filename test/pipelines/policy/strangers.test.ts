import { describe, expect, test } from 'vitest';
import type { KeptRecord } from '../../../pipelines/model/record-copy.ts';
import type { Revision } from '../../../pipelines/model/revision.ts';
import { refuseStrangers, unknownHosts } from '../../../pipelines/policy/strangers.ts';
import { host, hostWith, record, refusal, revision, spec } from '../model/values.ts';

const at = (number: number, hour = 10) =>
  revision(number, `1.${number}.0`, { startedAt: `2026-01-${String(number).padStart(2, '0')}T${hour}:00:00.000Z` });
const history = (from: number, to: number, hour?: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => at(from + index, hour));
const kept = (revisions?: readonly Revision[]): KeptRecord => ({
  host: host('prod-9'),
  containers: new Map(),
  ...(revisions
    ? { copy: { app: 'shop', environment: 'prod', operation: 'x', record: record([...revisions]) } }
    : { noCopy: 'it keeps no copy of the record' }),
});
const place = { app: 'shop', environment: 'prod' };

describe('a host that keeps a record', () => {
  test.each([
    ['of the same history', history(1, 5), history(1, 5)],
    ['of an earlier time', history(1, 2), history(1, 5)],
    ['of which the beginning is forgotten here', history(1, 5), history(4, 8)],
    ['of which the end alone is kept there', history(3, 5), history(1, 8)],
    ['without any revision', [], history(1, 5)],
    ['that it does not have', undefined, history(1, 5)],
  ])('%s is this project’s own, as far as is known', (_case, theirs, own) => {
    expect(refusal(() => refuseStrangers(place, record(own), [kept(theirs)]))).toBe('no refusal');
  });

  test.each([
    ['of as many revisions', history(1, 3, 11), history(1, 3)],
    ['of fewer', history(1, 2, 11), history(1, 9)],
    ['that is the same up to a point', [...history(1, 2), at(3, 11)], history(1, 9)],
    ['with which nothing is in common', history(1, 3), history(10, 20)],
    [
      'of other images at the same time',
      history(1, 1).map((each) => ({ ...each, release: revision(1, '9.0.0').release })),
      history(1, 9),
    ],
  ])('%s is another one’s', (_case, theirs, own) => {
    const text = refusal(() => refuseStrangers(place, record(own), [kept(theirs)]));
    expect(text).toMatch(
      /^on prod-9, prod of shop is another project’s \| prod-9: revision \d+, [\d.]+, by anna@desk at /,
    );
    expect(text).toContain('Name `app` or the environment otherwise');
  });
});

test.each<readonly [string, Partial<KeptRecord>]>([
  ['its copy of the record is spoilt', { unread: true, noCopy: 'its copy of the record is spoilt' }],
  ['does not answer within 10 s', { error: 'does not answer within 10 s' }],
])('a host whose record cannot be read may be anybody’s: %s', (reason, told) => {
  const silent: KeptRecord = { host: host('prod-9'), containers: new Map(), ...told };
  const text = refusal(() => refuseStrangers(place, record(history(1, 5)), [kept(history(1, 2)), silent]));
  expect(text).toMatch(`whose prod of shop is on prod-9 cannot be told | prod-9: ${reason}`);
  expect(text).toContain('or take the host out of prod');
  const others = refusal(() => refuseStrangers(place, record(history(1, 5)), [kept(history(1, 3, 11)), silent]));
  expect(others).toMatch(/^on prod-9, prod of shop is another project’s/);
});

test('only hosts where this record has nothing, and which know a revision, are asked', () => {
  const fence = { revision: 2, operation: 'x', recorded: 2 };
  const known = record([at(1)], [{ host: host('prod-1'), spec: spec('web') }]);
  const reports = [
    { host: host('prod-1'), fence },
    { host: host('prod-2'), fence },
    { host: host('prod-3') },
    { host: host('prod-4'), fence: { ...fence, recorded: 0 } },
  ];
  expect(unknownHosts(known, reports).map(({ name }) => name)).toEqual(['prod-2']);
});

test('a host that got the name of another machine is asked', () => {
  const fence = { revision: 2, operation: 'x', recorded: 2 };
  const known = record([at(1)], [{ host: hostWith('prod-1', { url: 'ssh://deploy@10.0.0.1' }), spec: spec('web') }]);
  const asked = (url: string) => unknownHosts(known, [{ host: hostWith('prod-1', { url }), fence }]);
  expect(asked('ssh://deploy@10.0.0.1')).toEqual([]);
  expect(asked('ssh://deploy@10.0.0.2').map(({ name }) => name)).toEqual(['prod-1']);
});

test('managers of a swarm that runs what is recorded are known, and a new one is asked', () => {
  const fence = { revision: 2, operation: 'x', recorded: 2 };
  const swarm = { kind: 'swarm', name: 'swarm', managers: [host('m-1'), host('m-2')] } as const;
  const known = record([at(1)], [{ host: swarm, spec: spec('web') }]);
  const reports = [swarm, host('m-1'), host('m-2'), host('m-3')].map((each) => ({ host: each, fence }));
  expect(unknownHosts(known, reports).map(({ name }) => name)).toEqual(['m-3']);
});
