import { expect, test } from 'vitest';
import { closest, didYouMean } from '../../../pipelines/text/suggest.ts';

test.each([
  ['prot', ['command', 'port', 'publish'], 'port'],
  ['prdo', ['dev', 'qa', 'uat', 'prod'], 'prod'],
  ['PROD', ['dev', 'prod'], 'prod'],
  ['comand', ['command', 'count'], 'command'],
  ['staging', ['dev', 'prod'], undefined],
  ['', ['dev'], undefined],
  ['x', [], undefined],
  ['a'.repeat(100_000), ['dev', 'prod'], undefined],
])('%s', (word, known, suggestion) => {
  expect(closest(word, known)).toBe(suggestion);
});

test('as the end of a message', () => {
  expect(didYouMean('prdo', ['prod'])).toBe(', did you mean prod?');
  expect(didYouMean('staging', ['prod'])).toBe('');
});
