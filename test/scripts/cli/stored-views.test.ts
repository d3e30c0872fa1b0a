import { expect, test } from 'vitest';
import { driftJson, driftLines, driftOfAll } from '../../../scripts/cli/views/drift.ts';
import { pruneLines, thingLines } from '../../../scripts/cli/views/pruning.ts';
import { host } from '../../pipelines/model/values.ts';

const image = { kind: 'image' as const, place: 'prod-1', bytes: 1_600_000 };
const things = [
  { ...image, id: 'a', name: '1.0.0', kept: false, reason: 'it ran well nowhere' },
  { ...image, id: 'b', name: '2.0.0', kept: true, reason: 'it serves in prod' },
  { kind: 'volume' as const, place: 'prod-1', id: 'c', name: 'ffff', kept: false, reason: 'its container is gone' },
];

test('a pruning lists each thing with its place, size and reason', () => {
  expect(thingLines(things)).toEqual([
    '            where   what    name   size    why',
    '  - remove  prod-1  image   1.0.0  1.6 MB  it ran well nowhere',
    '  = keep    prod-1  image   2.0.0  1.6 MB  it serves in prod',
    '  - remove  prod-1  volume  ffff   ?       its container is gone',
  ]);
});

test('a pruning ends with what is gone, what a place does not allow, and what failed', () => {
  const failed = [{ place: 'prod-2', reason: 'prod-2: does not answer within 10 s' }];
  const notes = ['r/shop does not allow deletion'];
  expect(pruneLines({ outcome: 'pruned', things, freed: 1_600_000, failed, notes })).toEqual([
    '2 things removed, 1.6 MB',
    '! r/shop does not allow deletion',
    '✗ prod-2: does not answer within 10 s',
  ]);
  const none = { things: things.slice(1, 2), freed: 0, notes: [] };
  expect(pruneLines({ outcome: 'nothing to do', ...none, failed })[0]).toBe('nothing to do where it could be seen');
});

test('a tag that was moved is drift of its environment, and a registry that is silent is none', () => {
  const moved = { what: 'r/shop:1.0.0', member: 'tag', expected: 'sha256:a', actual: 'sha256:b' };
  const hosts = [{ host: host('prod-1'), drift: [] }];
  const drifted = { name: 'prod', hosts, registry: { drift: [moved] } };
  expect([driftOfAll(drifted), driftJson(drifted)]).toMatchObject(['some', { registry: { drift: [moved] } }]);
  expect(driftLines([drifted], 0).at(-1)).toMatch(/^ {2}✗ {2}registry {2}r\/shop:1\.0\.0 {2}tag /);
  const silent = { ...drifted, registry: { error: 'cannot reach the registry' } };
  expect(driftOfAll(silent)).toBe('none');
  expect(driftLines([silent], 0)).toEqual(['✓ prod  1 host as recorded']);
});

test('a name that somebody made up stays on its line', () => {
  const drift = {
    what: 'web-1',
    member: 'Config.Labels.a\n✓ prod  1 host as recorded',
    expected: 'null',
    actual: '"1"',
  };
  const hosts = [{ host: host('prod-1'), drift: [drift] }];
  expect(
    driftLines([{ name: 'prod', hosts, registry: { drift: [] } }], 0)
      .join('\n')
      .split('\n'),
  ).toHaveLength(3);
});
