import { expect, test } from 'vitest';
import { agoText } from '../../../pipelines/text/moment.ts';
import { bytesText, durationText, elapsedText, table } from '../../../scripts/tools/format.ts';

test.each([
  [0, '0 ms'],
  [339.6, '340 ms'],
  [999.6, '1.0 s'],
  [2449, '2.4 s'],
  [59_949, '59.9 s'],
  [59_960, '1 min 0 s'],
  [200_000, '3 min 20 s'],
  [3_599_400, '59 min 59 s'],
  [3_599_600, '1 h 0 min'],
  [7_500_000, '2 h 5 min'],
])('%d ms is %s', (milliseconds, text) => {
  expect(durationText(milliseconds)).toBe(text);
});

test.each([
  [59_949, '59.9 s'],
  [59_960, '1:00'],
  [102_700, '1:43'],
  [3_599_600, '1:00:00'],
  [35_999_000, '9:59:59'],
])('%d ms have elapsed: %s', (milliseconds, text) => {
  expect(elapsedText(milliseconds)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [1640, '1.6 kB'],
  [9960, '10 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [200_000_000, '200 MB'],
  [5_000_000_000_000_000, '5000 TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

const now = Date.parse('2026-01-03T12:00:00.000Z');
test.each([
  ['2026-01-03T12:00:05.000Z', 'just now'],
  ['2026-01-03T11:59:51.000Z', 'just now'],
  ['2026-01-03T11:59:30.000Z', '30 s ago'],
  ['2026-01-03T11:55:30.000Z', '4 min ago'],
  ['2026-01-03T09:00:00.000Z', '3 h ago'],
  ['2026-01-01T12:00:01.000Z', '47 h ago'],
  ['2026-01-01T12:00:00.000Z', '2 d ago'],
  ['an unknown time', 'an unknown time'],
])('%s was %s', (when, text) => {
  expect(agoText(when, now)).toBe(text);
});

test('columns are aligned, colours do not count, lines have no trailing spaces', () => {
  expect(table([['a', 'long', ''], ['\u001B[31mred\u001B[39m', 'b', 'c'], ['x']])).toEqual([
    'a    long',
    '\u001B[31mred\u001B[39m  b     c',
    'x',
  ]);
});
