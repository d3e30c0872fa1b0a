import { expect, test } from 'vitest';
import { asConfigured, embeddedRepository, isEmbedded } from '../../../pipelines/model/embedded.ts';
import { release } from './values.ts';

const embedded = embeddedRepository('shop', 'file:///srv/shop/.lockage/state');

test('two projects of one name have repositories of their own', () => {
  expect(embeddedRepository('shop', 'file:///home/anna/shop/.lockage/state')).not.toBe(embedded);
  expect(isEmbedded(embedded)).toBe(true);
  expect(isEmbedded('embedded.lockage.internal.example.com/shop')).toBe(false);
});

test('a release is found in the repository that is configured, and nothing else of it changes', () => {
  const made = { ...release('1.0.0'), repository: embedded };
  expect(asConfigured(made, 'r.example.com/shop')).toEqual({ ...made, repository: 'r.example.com/shop' });
  expect(asConfigured(made, embeddedRepository('shop', 's3://states'))).toBe(made);
  const adopted = { ...made, repository: 'other.example.com/shop' };
  expect(asConfigured(adopted, 'r.example.com/shop')).toBe(adopted);
});
