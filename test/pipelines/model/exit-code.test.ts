import { expect, test } from 'vitest';
import { exitCodeOfAll } from '../../../pipelines/model/exit-code.ts';

test.each([
  [[], 0],
  [[75], 75],
  [[75, 2], 2],
  [[75, 3], 3],
  [[3, 2], 3],
  [[3, 5], 5],
  [[5, 4], 4],
  [[75, 4, 3], 4],
  [[7], 7],
])('of several that ended with %j, a person has to look at %i first', (codes, first) => {
  expect(exitCodeOfAll(codes)).toBe(first);
});
