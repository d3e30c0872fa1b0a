import { describe, expect, test } from 'vitest';
import {
  currentRevision,
  ledgerLength,
  nextNumber,
  rollbackCandidates,
  sameContainers,
  withRevision,
} from '../../../pipelines/model/ledger.ts';
import type { Ledger, Revision } from '../../../pipelines/model/revision.ts';
import { failed, revision, rolledBackTo, spec } from './values.ts';

const [r1, r2, r3] = [revision(1, '1.0.0'), revision(2, '2.0.0'), revision(3, '3.0.0')];
const numbers = (revisions: readonly Revision[]) => revisions.map(({ number }) => number);

test('what runs is the last revision that succeeded', () => {
  expect(currentRevision({ revisions: [] })).toBeUndefined();
  expect(currentRevision({ revisions: [failed(1, '1.0.0')] })).toBeUndefined();
  expect(currentRevision({ revisions: [r1, r2, failed(3, '3.0.0')] })).toBe(r2);
});

test('numbers grow over failures', () => {
  expect(nextNumber({ revisions: [] })).toBe(1);
  expect(nextNumber({ revisions: [r1, failed(2, '2.0.0')] })).toBe(3);
});

describe('a rollback can go to', () => {
  test.each<[string, number[], Revision[]]>([
    ['nothing where nothing ran', [], []],
    ['nothing where one release ran', [], [r1]],
    ['nothing where only the same containers ran', [], [r1, revision(2, '1.0.0')]],
    ['earlier good revisions, newest first', [2, 1], [r1, r2, r3]],
    ['no failed one', [1], [r1, failed(2, '2.0.0'), r3]],
    [
      'each set of containers once, by its newest revision',
      [3, 2],
      [r1, r2, revision(3, '1.0.0'), revision(4, '4.0.0')],
    ],
    ['what was before the one that a rollback restored', [1], [r1, r2, r3, rolledBackTo(4, r2)]],
    ['nothing after going back to the first', [], [r1, r2, rolledBackTo(3, r1)]],
    ['what a rollback restored, after another promotion', [3], [r1, r2, rolledBackTo(3, r1), revision(4, '4.0.0')]],
    [
      'nothing that was left, if the first is named by its old number',
      [],
      [r1, r2, rolledBackTo(3, r1), revision(4, '4.0.0'), rolledBackTo(5, r1)],
    ],
    [
      'nothing that was left, though it had run before as well',
      [],
      [r1, r2, revision(3, '1.0.0'), rolledBackTo(4, r2)],
    ],
    ['what was there before going forward again', [3], [r1, r2, rolledBackTo(3, r1), rolledBackTo(4, r2)]],
  ])('%s', (_case, expected, revisions) => {
    expect(numbers(rollbackCandidates({ revisions }))).toEqual(expected);
  });
});

describe('a ledger', () => {
  const failures = (from: number, count: number): Revision[] =>
    Array.from({ length: count }, (_, index) => failed(from + index, '9.0.0'));
  const addAll = (revisions: readonly Revision[]): Ledger =>
    revisions.reduce<Ledger>((ledger, each) => withRevision(ledger, each), { revisions: [] });

  test(`keeps the last ${ledgerLength} revisions`, () => {
    const many = Array.from({ length: 40 }, (_, index) => revision(index + 1, `1.${index}.0`));
    expect(numbers(addAll(many).revisions)).toEqual(numbers(many.slice(10)));
  });

  test('keeps what runs and what a rollback goes to, however many attempts failed since', () => {
    const kept = addAll([r1, r2, r3, ...failures(4, 50)]).revisions;
    expect(numbers(kept).slice(0, 3)).toEqual([2, 3, 26]);
    expect(kept).toHaveLength(ledgerLength);
  });

  test('keeps its hold', () => {
    const hold = { since: '', actor: '', reason: '', version: '' };
    expect(withRevision({ revisions: [], hold }, r1)).toEqual({ revisions: [r1], hold });
  });
});

test('revisions run the same containers whatever their order, but not on other hosts', () => {
  const [a, b] = [spec('web-1'), spec('worker-1')];
  expect(sameContainers({ containers: [a, b] }, { containers: [b, a] })).toBe(true);
  expect(sameContainers({ containers: [a] }, { containers: [a, b] })).toBe(false);
  expect(sameContainers({ containers: [a] }, { containers: [spec('web-1', 'prod-2')] })).toBe(false);
});
