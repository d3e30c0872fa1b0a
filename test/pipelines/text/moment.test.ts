import { expect, test } from 'vitest';
import { spanText } from '../../../pipelines/text/moment.ts';

const hour = 3_600_000;

test.each([
  [-5000, '0 s'],
  [999, '0 s'],
  [45_999, '45 s'],
  [60_000, '1 min'],
  [2 * hour, '2 h'],
  [2 * hour + 61_000, '2 h 1 min'],
  [2 * hour + 5000, '2 h'],
  [76 * hour, '3 d 4 h'],
  [72 * hour + 1000, '3 d'],
])('%i ms are %s', (milliseconds, expected) => expect(spanText(milliseconds)).toBe(expected));
