import { expect, test } from 'vitest';
import { isCommanded, visible, visibleJson } from '../../../scripts/tools/visible.ts';

const log = { coloured: false, commanded: true };

test.each([
  ['##[set-env name=a]b', String.raw`\x23#[set-env name=a]b`],
  ['GET /##[add-mask]e HTTP/1.1 ##[debug]', String.raw`GET /\x23#[add-mask]e HTTP/1.1 \x23#[debug]`],
  ['###[add-mask]e', String.raw`#\x23#[add-mask]e`],
  ['::stop-commands::x', String.raw`\x3a:stop-commands::x`],
  ['one\n \u00a0\t::add-mask::e\n\n::debug::e', 'one\n \u00a0\t\\x3a:add-mask::e\n\n\\x3a:debug::e'],
  ['##vso[task.setvariable variable=a]b', String.raw`\x23#vso[task.setvariable variable=a]b`],
])(
  'what a container writes is no command of GitHub’s runner, at the start of a line or inside it: %j',
  (said, shown) => {
    expect(visible(said, log)).toBe(shown);
    expect(visible(said, { ...log, coloured: true })).toBe(shown);
    expect(visible(said, { ...log, commanded: false })).toBe(said);
  },
);

test('what is no command stays as it is', () => {
  const said = '## [a] #[b] web::1 : :c\nlisten on [::]:80, or std::io::Error';
  expect(visible(said, log)).toBe(said);
});

test('JSON says the same without a command', () => {
  const value = { said: ['::debug::a', String.raw`\##[add-mask]e`, '###vso[a]b'], '##[debug]': 1 };
  for (const indent of [undefined, 2]) {
    const shown = visibleJson(JSON.stringify(value, undefined, indent), log);
    expect(shown).not.toMatch(/##(?:vso)?\[|^\s*::/m);
    expect(JSON.parse(shown)).toEqual(value);
  }
});

test('runners of GitHub and Azure are known by their variables, and nobody else is taken for one', () => {
  expect([{ GITHUB_ACTIONS: 'true' }, { TF_BUILD: 'True' }].map(isCommanded)).toEqual([true, true]);
  expect([{}, { CI: 'true' }, { GITHUB_ACTIONS: '' }].map(isCommanded)).toEqual([false, false, false]);
});
