import { expect, test } from 'vitest';
import { judged } from './busy.ts';
import { figure } from './measure.ts';

test('a machine that others kept busy neither praises nor blames, and says so', () => {
  const rows = [{ part: 'load', what: 'failed', unit: 'requests', ours: figure([3]), met: false }] as const;
  expect(judged(rows, 0.1)).toEqual(rows);
  const [row] = judged(rows, 0.8);
  expect(row).not.toHaveProperty('met');
  expect([row?.ours?.median, row?.note]).toEqual([3, 'not judged: other work took 80 % of the processors']);
});
