import { expect, test } from 'vitest';
import { Tail } from '../../../infra/system/tail.ts';

test.each([1, 7, 100, 5000])('the last bytes are kept, whatever the chunks (%i bytes each)', (size) => {
  const all = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));
  for (const limit of [1, 99, 2500, 4999, 5000, 6000]) {
    const tail = new Tail(limit);
    for (let at = 0; at < all.length; at += size) tail.push(all.subarray(at, at + size));
    expect(tail.bytes().equals(all.subarray(-limit))).toBe(true);
    expect(tail.truncated).toBe(limit < 5000);
  }
});

test('nothing is an empty text', () => {
  expect([new Tail(5).text(), new Tail(5).truncated]).toEqual(['', false]);
});
