import { expect, test } from 'vitest';
import { exitCodeOfAll, exitCodeOfStopped } from '../../../pipelines/model/exit-code.ts';

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

test.each([
  [[], 130],
  [[130], 130],
  [[3], 130],
  [[2, 75], 130],
  [[3, 5], 5],
  [[130, 4], 4],
])('of several that the operator stopped, and that ended with %j, what is left comes first: %i', (codes, first) => {
  expect(exitCodeOfStopped(codes)).toBe(first);
});
