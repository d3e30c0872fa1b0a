import { expect, test } from 'vitest';
import { parseDuration, parseSize } from '../../../../pipelines/config/schema/units.ts';

test.each([
  ['0s', 0],
  ['500ms', 500],
  ['1.5s', 1500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['10', undefined],
  ['10 s', undefined],
  ['-1s', undefined],
  ['1h30m', undefined],
  ['', undefined],
])('duration %j is %j ms', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each([
  ['64KiB', 65_536],
  ['256MiB', 268_435_456],
  ['1.5GiB', 1_610_612_736],
  ['1TiB', 1_099_511_627_776],
  ['256', undefined],
  ['256MB', undefined],
  ['256m', undefined],
])('size %j is %j bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});
