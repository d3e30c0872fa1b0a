import { expect, test } from 'vitest';
import { endOf, shortened } from '../../../pipelines/text/shortened.ts';

test.each([
  ['', 3, ''],
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['a😀bc', 3, 'a…'],
])('%j is %i characters at most', (text, longest, expected) => {
  expect(shortened(text, longest)).toBe(expected);
});

test.each([
  ['', 3, ''],
  ['abc', 3, 'abc'],
  ['abcd', 3, '…cd'],
  ['ab😀c', 3, '…c'],
])('the end of %j is %i characters at most', (text, longest, expected) => {
  expect(endOf(text, longest)).toBe(expected);
});
