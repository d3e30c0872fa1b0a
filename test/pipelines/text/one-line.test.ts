import { expect, test } from 'vitest';
import { oneLine } from '../../../pipelines/text/one-line.ts';

test.each([
  ['denied\nhelp   run this\r\n\n', 'denied help   run this'],
  [' one ', 'one'],
  ['\n', ''],
])('%j is %j on one line', (text, line) => expect(oneLine(text)).toBe(line));
