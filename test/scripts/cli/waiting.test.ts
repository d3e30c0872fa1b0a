import { expect, test } from 'vitest';
import { leaseOf } from '../../../scripts/cli/lease.ts';
import { waitOf } from '../../../scripts/cli/options.ts';

test('a lease is 90 s, or as long as its variable says', () => {
  expect(leaseOf({})).toBe(90_000);
  expect(leaseOf({ LOCKAGE_LEASE: '' })).toBe(90_000);
  expect(leaseOf({ LOCKAGE_LEASE: '120' })).toBe(120_000);
});

test.each(['2', '3601', '90s', '-5', '1e3'])('a lease of %s is refused', (text) => {
  expect(() => leaseOf({ LOCKAGE_LEASE: text })).toThrow('LOCKAGE_LEASE takes 3 to 3600 seconds');
});

test('a command waits where it is told to', () => {
  expect(waitOf({})).toEqual({});
  expect(waitOf({ wait: '10m' })).toEqual({ wait: 600_000 });
  expect(() => waitOf({ wait: '1.4.0' })).toThrow('--wait takes a duration, not "1.4.0"');
});
