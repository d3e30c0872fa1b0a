import { expect, test } from 'vitest';
import { countsOf } from '../../../../scripts/cli/commands/scale.ts';
import { refusal } from '../../../pipelines/model/values.ts';

test('roles and their numbers', () => {
  expect(countsOf(['web=4', 'night-job=100'])).toEqual({ web: 4, 'night-job': 100 });
  expect(countsOf(['constructor=2'])).toEqual({ constructor: 2 });
});

test.each(['web', 'web=', 'web=0', 'web=101', 'web=-1', 'web=two', '=4', 'web=4=5'])('%s is none', (text) => {
  expect(refusal(() => countsOf([text]))).toBe(
    `expected ROLE=NUMBER with a number from 1 to 100, got "${text}" | For example, run \`lockage scale prod web=4 worker=2\`.`,
  );
});

test('a role twice', () => {
  expect(refusal(() => countsOf(['web=4', 'web=5']))).toBe('role web is given twice');
});
