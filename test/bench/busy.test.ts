import { expect, test } from 'vitest';
import { judged, judgedByUse } from './busy.ts';
import { figure } from './measure.ts';

test('a machine that others kept busy neither praises nor blames, and says so', () => {
  const rows = [{ part: 'load', what: 'failed', unit: 'requests', ours: figure([3]), met: false }] as const;
  expect(judged(rows, 0.1)).toEqual(rows);
  const [row] = judged(rows, 0.8);
  expect(row).not.toHaveProperty('met');
  expect([row?.ours?.median, row?.note]).toEqual([3, 'not judged: other work took 80 % of the processors']);
});

test('a run that used the processors up says so, and no more', () => {
  const rows = [{ part: 'load', what: 'failed', unit: 'requests', ours: figure([0]), met: true }] as const;
  expect(judgedByUse(rows, 0.9)).toEqual(rows);
  const [row] = judgedByUse(rows, 0.99);
  expect(row).not.toHaveProperty('met');
  expect(row?.note).toBe('not judged: 99 % of the processors were used meanwhile');
});
