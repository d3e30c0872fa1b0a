import { expect, test } from 'vitest';
import { StopWish } from '../../../scripts/cli/interrupt.ts';

type Sent = readonly [at: number, name: 'SIGINT' | 'SIGTERM' | 'SIGHUP'];

/** What each of the signals means that come at these milliseconds. */
function meanings(sent: readonly Sent[]): string[] {
  let now = 0;
  const wish = new StopWish(() => now);
  return sent.map(([at, name]) => {
    now = at;
    return wish.meaningOf(name);
  });
}

test.each<[string, readonly Sent[], readonly string[]]>([
  ['one key press', [[5, 'SIGINT']], ['stop']],
  [
    'one key press that npm passes on as well',
    [
      [0, 'SIGINT'],
      [4, 'SIGINT'],
    ],
    ['stop', 'nothing new'],
  ],
  [
    'a CI that sends INT, and TERM some seconds later',
    [
      [0, 'SIGINT'],
      [7500, 'SIGTERM'],
    ],
    ['stop', 'nothing new'],
  ],
  [
    'a person who presses again after a second',
    [
      [0, 'SIGINT'],
      [1000, 'SIGINT'],
    ],
    ['stop', 'end at once'],
  ],
  [
    'a person who insists after a first TERM',
    [
      [0, 'SIGTERM'],
      [1500, 'SIGINT'],
    ],
    ['stop', 'end at once'],
  ],
  [
    'TERM and TERM again',
    [
      [0, 'SIGTERM'],
      [2000, 'SIGTERM'],
    ],
    ['stop', 'end at once'],
  ],
  [
    'a terminal that is closed',
    [
      [0, 'SIGHUP'],
      [0, 'SIGINT'],
    ],
    ['stop', 'nothing new'],
  ],
])('%s', (_case, sent, expected) => {
  expect(meanings(sent)).toEqual(expected);
});
