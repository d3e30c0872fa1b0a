/*
 * Text that somebody else wrote, as a commit's subject, inside of Markdown. GitHub looks for names, numbers of issues and
 * addresses only after Markdown has become HTML, where no escape is left: so nothing but another character keeps them apart.
 */

/** A space of no width, as an entity: it is seen by nobody, and ends a name. */
const apart = '&#8203;';

/** What controls a line or the direction of writing, and can make a text look like another one. */
const controls = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/**
 * What means something to CommonMark or to GitHub: anywhere; before something else, as `@name`, `#1`, `:smile:`, `https:`, `gh-1`
 * and `www.`; and at the begin of a line, as a list, a heading or a rule.
 */
const special = /[\\`*_[\]|~&<>$@#{}]|:(?=\S)|gh(?=-\d)|www(?=\.)|^(?:[-+=]|\d+(?=[.)]))/giu;

/**
 * Returns a text, in one line, that means nothing to Markdown (CommonMark, and GitHub's own) or HTML: it calls nobody by name,
 * names no issue, and leads nowhere.
 */
export function escapedMarkdown(text: string): string {
  return text
    .replaceAll(controls, ' ')
    .trim()
    .replaceAll(special, (found) => entities[found] ?? (/^[a-z\d:@]/i.test(found) ? found + apart : `\\${found}`));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  // GitHub takes what stands between two for mathematics, also where they are escaped.
  $: '<span>$</span>',
  '#': `\\#${apart}`,
};
