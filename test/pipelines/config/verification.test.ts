import { describe, expect, test } from 'vitest';
import { common, load, own, problemsOf } from './files.ts';

const inCommon = (text: string) => problemsOf(`${common}${text}\n`);
const jobs = (text: string) => inCommon(`verification: [${text}]`);

describe('jobs', () => {
  test('have what they run, and defaults for the rest', () => {
    const text = 'env: { LEVEL: 1 }\nverification: [{ name: smoke, command: [node, smoke.mjs], env: { N: 2 } }]\n';
    const [dev] = load(`${common}${text}`, { dev: own }).environments;
    expect(dev?.verification).toEqual([
      {
        ...{ name: 'smoke', command: ['node', 'smoke.mjs'], env: { LEVEL: '1', N: '2' } },
        ...{ secrets: [], timeout: 120_000, retries: 0 },
      },
    ]);
  });

  test.each([
    ['{ name: smoke }', 'verification[0].command  is missing'],
    ['{ name: Smoke, command: [a] }', 'verification[0].name  expected a name of'],
    ['{ name: a, command: [a], image: "a b" }', 'verification[0].image  expected an image such as'],
    ['{ name: a, command: [a], timeout: 2h }', 'verification[0].timeout  expected a duration from 1s to 1h'],
    ['{ name: a, command: [a], retries: 9 }', 'verification[0].retries  expected a number of tries from 0 to 5'],
    ['{ name: a, command: [a] }, { name: a, command: [b] }', 'verification[1].name  is the name of another job'],
    ['{ name: a, command: [a], env: { LOCKAGE_URL: x } }', 'names that begin with LOCKAGE_ are set by Lockage'],
    ['{ name: a, command: [a], secrets: [TOKEN] }', 'is not declared under secrets'],
    ['{ name: a, command: [a], tries: 2 }', 'unknown key'],
  ])('%s is refused', (text, message) => {
    expect(jobs(text).join('\n')).toContain(message);
  });

  test('in an environment take the place of those of all', () => {
    const text = `${common}verification: [{ name: smoke, command: [a] }]\npromote: auto\n`;
    const [dev] = load(text, { dev: `${own}verification: []\npromote: manual\n` }).environments;
    expect([dev?.verification, dev?.promote]).toEqual([undefined, undefined]);
  });
});

describe('a schema of data', () => {
  test.each([
    ['compatible: 3', 'says something of a schema that is not declared'],
    ['schema: 2\ncompatible: 3', 'is later than the schema, 2'],
    ['schema: -1', 'expected a number from 0 to'],
    ['migration: { command: [a], dump: [db] }', 'is not an accessory of dev'],
  ])('%s is refused', (text, message) => {
    expect(inCommon(text).join('\n')).toContain(message);
  });
});
