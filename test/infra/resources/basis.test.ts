import { expect, test } from 'vitest';
import { acceptedInputs, basedOn, basisOf } from '../../../infra/resources/basis.ts';
import { packed } from '../../../infra/resources/packing.ts';
import { RecordChangedError } from '../../../pipelines/errors.ts';

const one = packed({ app: 'shop', releases: ['1'] });
const two = packed({ app: 'shop', releases: ['1', '2'] });

test('inputs are taken while the record is what they were made from, and recorded without their mark', () => {
  expect(acceptedInputs(one, basedOn(basisOf(one), two))).toEqual(two);
  expect(acceptedInputs({}, basedOn(basisOf(undefined), one))).toEqual(one);
  expect(acceptedInputs({ __provider: 'x' }, basedOn(basisOf({}), one))).toEqual(one);
});

test.each([
  ['another record', basedOn(basisOf(one), two), two],
  ['a record where there was none', basedOn(basisOf(undefined), one), one],
  ['no record where there was one', basedOn(basisOf(one), two), {}],
])('inputs are refused where the state holds %s by now', (_what, inputs, recorded) => {
  expect(() => acceptedInputs(recorded, inputs)).toThrow(RecordChangedError);
});

test('inputs without a mark are taken as they are', () => {
  expect(acceptedInputs(one, two)).toEqual(two);
});

test('the mark does not depend on the order of members, nor on what Pulumi adds', () => {
  expect(basisOf({ a: 1, b: { c: 2, d: [3] }, __defaults: [] })).toBe(basisOf({ b: { d: [3], c: 2 }, a: 1 }));
});
