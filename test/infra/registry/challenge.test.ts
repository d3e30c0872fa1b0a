import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { parseChallenges } from '../../../infra/registry/challenge.ts';

test.each<readonly [string, readonly (readonly [string, Readonly<Record<string, string>>])[]]>([
  ['', []],
  ['Basic', [['basic', {}]]],
  ['Basic realm="a, b"', [['basic', { realm: 'a, b' }]]],
  ['Bearer realm="https://x/token",service="s"', [['bearer', { realm: 'https://x/token', service: 's' }]]],
  ['BEARER Realm = https://x/t?a=b , scope="a b"', [['bearer', { realm: 'https://x/t?a=b', scope: 'a b' }]]],
  [
    'Negotiate, Basic realm="r", Bearer realm="t"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'r' }],
      ['bearer', { realm: 't' }],
    ],
  ],
  ['Bearer realm="a \\"b\\" \\\\c"', [['bearer', { realm: 'a "b" \\c' }]]],
  ['Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]]],
  ['Bearer realm="never ends', [['bearer', {}]]],
  ['realm="of nobody"', []],
  [',, Bearer ,realm=x', [['bearer', { realm: 'x' }]]],
  ['\u0000<html>', []],
])('the challenges in %j', (header, expected) => {
  const found = parseChallenges(header);
  expect(found.map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])).toEqual(expected);
});

test('any text is read to its end', () => {
  assert(property(string({ unit: 'binary' }), (header) => Array.isArray(parseChallenges(header))));
  expect(parseChallenges('Bearer a="'.repeat(100_000)).length).toBeLessThan(10_000);
});
