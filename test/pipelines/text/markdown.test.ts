import * as fc from 'fast-check';
import { parsers } from 'prettier/plugins/markdown';
import { expect, test } from 'vitest';
import { escapedMarkdown } from '../../../pipelines/text/markdown.ts';

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly children?: readonly Node[];
}

/** What a reader of Markdown (CommonMark and GitHub's) takes an item of a list with that text for: kinds and values. */
function read(text: string): (readonly [kind: string, value: string])[] {
  const markdown = `- ${escapedMarkdown(text)} (\`abcdef0\`)\n`;
  return leavesOf(parsers.markdown.parse(markdown, {} as never) as Node);
}

function leavesOf({ type, value = '', children }: Node): (readonly [string, string])[] {
  if (!children) return [[type, value]];
  return children.flatMap(leavesOf).map(([kind, below]) => [`${type} ${kind}`, below]);
}

const pieces = fc.constantFrom(
  ...['@anna', '#12', 'GH-7', 'acme/shop#3', 'https://example.com/a', 'www.example.com', ':tada:', 'a@example.com'],
  ...[
    '**',
    '__',
    '`',
    '``',
    '~~',
    '[x](y)',
    '![x](y)',
    '[ ] ',
    '<b>',
    '<!--',
    '-->',
    '&lt;',
    '&#64;',
    '\\',
    '$x$',
    '|',
  ],
  ...[
    '- ',
    '+ ',
    '1. ',
    '2) ',
    '# ',
    '> ',
    '    ',
    '---',
    '===',
    '{{',
    '}}',
    '[[',
    ']]',
    '\n',
    '\r\n',
    '\u202e',
    'a',
    ' ',
  ],
);
const texts = fc.array(fc.oneof(pieces, fc.string({ unit: 'grapheme', maxLength: 4 })), { maxLength: 12 });

test('a text of a commit is text in Markdown, whatever is in it', () => {
  const item = 'root list listItem paragraph';
  fc.assert(
    fc.property(texts, (parts) => {
      const found = read(parts.join('')).filter(([kind]) => kind !== `${item} text`);
      const spans = found.filter(([kind, value]) => kind === `${item} html` && /^<\/?span>$/.test(value));
      expect(found.filter((each) => !spans.includes(each))).toEqual([[`${item} inlineCode`, 'abcdef0']]);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['for @anna and @acme/team', 'for @\u200banna and @\u200bacme/team'],
  ['fixes #12, gh-7 and acme/shop#3', 'fixes #\u200b12, gh\u200b-7 and acme/shop#\u200b3'],
  ['see https://github.com/acme/shop/issues/1', 'see https:\u200b//github.com/acme/shop/issues/1'],
  ['www.example.com, anna@example.com :tada:', 'www\u200b.example.com, anna@\u200bexample.com :\u200btada:'],
  ['feat(web): as it was', 'feat(web): as it was'],
  ['a\u202eb\n# c\td', 'a b #\u200b c d'],
])('%j is read with nothing that GitHub looks for', (text, shown) => {
  expect(
    read(text)
      .map(([, value]) => value)
      .join(''),
  ).toBe(`${shown} (abcdef0)`);
});
