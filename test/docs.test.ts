import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import ts from 'typescript';
import { driftTable } from './support/drift-kinds.ts';

const root = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))];
const testFile = (name: string) => join('test', `${name}.test.ts`);

/** `real/promote` “that fails …”, “…”: a file of tests, and the ends of their full names, or of those of groups. */
const citation = /`([a-z][\w/-]*)`((?:,? “[^”]*”)+)/g;

const citations = ['docs/reliability.md', 'docs/security.md']
  .map(read)
  .join('\n')
  .split('\n')
  .flatMap((line) => [...line.matchAll(citation)])
  .flatMap(([, file = '', sentences = '']) =>
    [...sentences.matchAll(/“([^”]*)”/g)].map(([, sentence = '']) => [file, sentence] as const),
  );

describe('what reliability.md and security.md cite', () => {
  test('is much', () => expect(citations.length).toBeGreaterThan(200));

  test('are tests that exist', () => {
    const missing = citations.filter(([file, sentence]) => !isTest(testFile(file), sentence));
    expect(missing.map(([file, sentence]) => `${file} “${sentence}”`)).toEqual([]);
  });

  test.each<[string, string, boolean]>([
    ['rooms', 'no such sentence', false],
    ['nowhere', 'is much', false],
    ['docs', 'what reliability.md and security.md cite are tests that exist', true],
    ['docs', 'are tests that exist', true],
    ['docs', 'what reliability.md and security.md cite', true],
    ['docs', 'reliability.md and security.md cite', false],
    ['docs', 'the docs are tests that exist', false],
    ['docs', 'README.md names files that exist', true],
  ])('%s “%s” would be found: %s', (file, sentence, found) => expect(isTest(testFile(file), sentence)).toBe(found));
});

describe('the docs', () => {
  test('have the table of what is done by hand, as it is tried', () => {
    expect(read('docs/drift.md')).toContain(`\n\n${driftTable()}\n\n`);
  });

  test.each(pages)('%s names files that exist', (page) => {
    const named = [...read(page).matchAll(/`((?:pipelines|infra|scripts|test|docs)\/[\w./-]*)`/g)];
    const paths = named.map(([, path = '']) => path).filter((path) => !/[A-Z]/.test(path));
    expect(paths.filter((path) => ![path, testFile(path)].some((file) => existsSync(join(root, file))))).toEqual([]);
  });

  test.each(pages)('%s links to pages and headings that exist', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)];
    const broken = links.filter(([, path = '', heading]) => {
      if (/^[a-z]+:/.test(path)) return false;
      const target = path === '' ? page : join(page, '..', path);
      if (!existsSync(join(root, target))) return true;
      return heading !== undefined && !anchorsOf(target).includes(heading);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

function anchorsOf(page: string): string[] {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Whether a sentence ends the full name of a test or group: places of values may hold what its file says somewhere. */
function isTest(file: string, sentence: string): boolean {
  if (!existsSync(join(root, file))) return false;
  const text = read(file);
  return namesIn(file, text).some((name) => {
    const words = name
      .split(/%[a-z#]|\$\{[^}]*\}|\$[\w.]+/)
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const values = new RegExp(`^${words.join('(.*?)')}$`).exec(sentence)?.slice(1);
    return values?.every((value) => /^\d*$/.test(value) || quoted(value).some((each) => text.includes(each))) ?? false;
  });
}

/** A value as a file may write it; `pages` of this one are read from the folder. */
function quoted(value: string): string[] {
  return [value, value.replaceAll("'", String.raw`\'`), value.replaceAll('\\', '\\\\'), value.replace(/^\d+ /, '')];
}

const names = new Map<string, string[]>();

/** Returns the names of the tests and groups in a file, each with any number of the groups around it. */
function namesIn(file: string, text: string): string[] {
  const known = names.get(file);
  if (known) return known;
  const found: string[] = [];
  const visit = (node: ts.Node, around: readonly string[]): void => {
    const title = titleOf(node);
    if (title === undefined) return ts.forEachChild(node, (child) => visit(child, around));
    const path = [...around, title.text];
    found.push(...path.map((_, index) => path.slice(index).join(' ')));
    if (title.isGroup) ts.forEachChild(node, (child) => visit(child, path));
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest), []);
  names.set(file, found);
  return found;
}

function titleOf(node: ts.Node): { readonly text: string; readonly isGroup: boolean } | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const callee = calleeOf(node.expression);
  const text = textOf(node.arguments[0]);
  if (text === undefined || !['describe', 'test', 'it'].includes(callee)) return undefined;
  return { text, isGroup: callee === 'describe' };
}

/** `test` of `test.runIf(true).each([…])`. */
function calleeOf(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) return calleeOf(node.expression);
  return ts.isTaggedTemplateExpression(node) ? calleeOf(node.tag) : '';
}

function textOf(node: ts.Node | undefined): string | undefined {
  if (!node) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map(({ literal }) => `%s${literal.text}`).join('');
}
