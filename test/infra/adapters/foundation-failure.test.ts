import { expect, test } from 'vitest';
import { failureLines } from '../../../infra/adapters/foundation-failure.ts';
import { BrokenError, RolledBackError } from '../../../pipelines/errors.ts';

test('what Docker’s plugin could not do is said without the text that Pulumi has around it', () => {
  const refused = 'Unable to create network: Error response from daemon: all predefined address pools have been used';
  const details = [
    '    docker:index:Network (prod-1-network):',
    `    error:   sdk-v2/provider2.go:572: sdk.helper_schema: ${refused}: provider=docker@5.2.0`,
    '    error: 1 error occurred:',
    `    \t* ${refused}`,
    'Resources: 3 unchanged',
  ];
  expect(failureLines(new BrokenError('Pulumi could not change prod-foundation', { details }))).toEqual([refused]);
});

test('what our own resources say is said as it is', () => {
  const error = new RolledBackError('prod-1: the edge proxy was not replaced', { details: ['its last line'] });
  expect(failureLines(error)).toEqual(['prod-1: the edge proxy was not replaced', 'its last line']);
  expect(failureLines(new Error('socket hang up'))).toEqual(['socket hang up']);
});
