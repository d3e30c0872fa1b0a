import { expect, test } from 'vitest';
import { rollbackTarget } from '../../../pipelines/planning/rollback-target.ts';
import { failed, refusal, revision, rolledBackTo } from '../model/values.ts';

const [r1, r2, r3] = [revision(1, '1.0.0'), revision(2, '2.0.0'), revision(3, '3.0.0')];
const ledger = { revisions: [r1, r2, failed(4, '4.0.0'), r3] };

test.each([
  ['the last good revision, unless told', undefined, 2],
  ['a revision by its number', '1', 1],
  ['a revision by its version', '1.0.0', 1],
])('%s', (_case, to, expected) => {
  expect(rollbackTarget('prod', ledger, to).number).toBe(expected);
});

test('of two revisions of a version, the newer one', () => {
  const again = revision(5, '1.0.0', { containers: [] });
  expect(rollbackTarget('prod', { revisions: [r1, r2, again, revision(6, '6.0.0')] }, '1.0.0').number).toBe(5);
});

test('a second rollback goes further back than the first', () => {
  const first = rolledBackTo(4, r2);
  expect(rollbackTarget('prod', { revisions: [r1, r2, r3, first] }).number).toBe(1);
});

test('a revision that a rollback left, if it is named', () => {
  expect(rollbackTarget('prod', { revisions: [r1, r2, rolledBackTo(3, r1)] }, '2.0.0').number).toBe(2);
});

test.each([
  ['nothing runs', [], undefined, 'prod has no earlier good revision to go back to | nothing runs in it'],
  [
    'there is only one',
    [r1],
    undefined,
    'prod has no earlier good revision to go back to | it runs 1.0.0 (revision 1)',
  ],
  ['it runs already', [r1, r2], '2.0.0', 'prod runs 2.0.0 already (revision 2)'],
  [
    'it failed',
    [r1, failed(2, '2.0.0'), r3],
    '2',
    'prod has no good revision 2 | revision 1: 1.0.0 | Run `lockage history prod` to see them all.',
  ],
])('refused when %s', (_case, revisions, to, expected) => {
  expect(refusal(() => rollbackTarget('prod', { revisions }, to))).toBe(expected);
});
