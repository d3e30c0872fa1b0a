import { expect, test } from 'vitest';
import { tagDrift } from '../../../pipelines/inspection/drift.ts';
import { release } from '../model/values.ts';

const [own, other] = [release('1.0.0'), release('2.0.0')];

test('a tag that leads to another image than was released is drift', () => {
  expect(tagDrift(own, other.digest)).toEqual([
    { what: 'registry.example.com/shop:1.0.0', member: 'tag', expected: own.digest, actual: other.digest },
  ]);
});

test.each([
  ['leads where it did', own, own.digest],
  ['is gone', own, undefined],
  ['was never ours', { ...own, adopted: true }, other.digest],
])('a tag that %s is none', (_case, made, tagged) => {
  expect(tagDrift(made, tagged)).toEqual([]);
});
