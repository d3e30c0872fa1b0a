import { describe, expect, test } from 'vitest';
import { parseSource } from '../../../../pipelines/config/source/source.ts';
import { common, load, own, problemsOf } from '../files.ts';

const parse = (text: string) => parseSource({ path: 'lockage.yaml', text });
const messages = (text: string) => parse(text).problems.map(({ line, message }) => `${line}: ${message}`);

describe('odd but fine', () => {
  test.each([
    ['a byte order mark', `\uFEFF${common}`],
    ['lines that end in CRLF', common.replaceAll('\n', '\r\n')],
    ['a byte order mark and CRLF', `\uFEFF${common.replaceAll('\n', '\r\n')}`],
    ['a document start', `---\n${common}`],
    ['comments and blank lines', `# top\n\n${common}\n# end\n`],
    ['no newline at the end', common.trimEnd()],
  ])('%s', (_, text) => {
    expect(load(text).app).toBe('shop');
  });

  test('an anchor used a few times', () => {
    const lockage = `${common}env: &common { A: 1.0 }\nmigration: { command: [a], env: *common }\n`;
    expect(load(lockage).environments[0]?.migration?.env).toEqual({ A: '1.0' });
  });
});

describe('refused', () => {
  test('an empty file', () => {
    expect(problemsOf('')).toEqual(['lockage.yaml:1  is empty']);
    expect(problemsOf(common, { dev: '# nothing yet\n' })).toEqual(['environments/dev.yaml:1  is empty']);
  });

  test('a list or a word instead of a mapping', () => {
    expect(problemsOf('- app\n')).toEqual(['lockage.yaml:1  expected a mapping, got a list']);
    expect(problemsOf('shop\n')).toEqual(['lockage.yaml:1  expected a mapping, got "shop"']);
  });

  test('tabs', () => {
    expect(problemsOf('app: shop\nroles:\n\tweb: {}\n')[0]).toBe(
      'lockage.yaml:3  is indented with a tab: YAML wants spaces',
    );
  });

  test('two documents', () => {
    expect(messages('a: 1\n---\nb: 2\n')).toEqual(['2: has more than one document: remove the line ---']);
  });

  test('broken YAML, with its line', () => {
    expect(messages('a: 1\nb: [1, 2\nc: 3\n')[0]).toMatch(/^[23]: is not valid YAML: /);
    expect(messages('a: "open\n')[0]).toMatch(/is not valid YAML: missing closing "quote/);
  });

  test('tags', () => {
    expect(messages('a: !!js/function "x"\n')[0]).toMatch(/^1: has a tag that is not supported/);
  });

  test('YAML 1.1 does not come back by a directive', () => {
    expect(parse('%YAML 1.1\n---\na: yes\nb: 1:30\n').value).toEqual({ a: 'yes', b: '1:30' });
  });

  test('NUL, written plainly or escaped', () => {
    expect(problemsOf('app: shop\nb: \0\n')).toEqual([
      'lockage.yaml:2  contains a NUL character: is this a text file?',
    ]);
    expect(problemsOf(`${common}env: { A: "x\\0y" }\n`)).toEqual(['lockage.yaml:5  env.A  contains a NUL character']);
  });

  test('more than 1 MiB', () => {
    expect(messages(`#${'x'.repeat(2 ** 20)}\n`)).toEqual(['1: is larger than 1 MiB']);
  });

  test('keys that are not text', () => {
    expect(messages('[a, b]: 1\n')).toEqual(['1: has a key that is not text']);
  });

  test('aliases without anchor', () => {
    expect(messages('a: *nowhere\n')[0]).toContain('nowhere');
  });
});

describe('does not hang on', () => {
  const quickly = (text: string) => {
    const started = performance.now();
    const found = messages(text);
    expect(performance.now() - started).toBeLessThan(60_000);
    return found;
  };

  test('aliases that multiply', () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const items =
        level === 0
          ? 'x, x, x, x, x, x, x, x'
          : Array(8)
              .fill(`*a${level - 1}`)
              .join(', ');
      return `a${level}: &a${level} [${items}]`;
    });
    expect(quickly(`${levels.join('\n')}\n`)[0]).toMatch(/aliases allowed|10000 values/);
  });

  test('an alias inside itself', () => {
    expect(quickly('a: &a [*a, *a]\n').length).toBeGreaterThan(0);
  });

  test('deep nesting', () => {
    expect(quickly('['.repeat(20_000))[0]).toBeDefined();
    expect(quickly(`a: ${'['.repeat(200)}${']'.repeat(200)}\n`)).toEqual(['1: is nested too deeply']);
  });

  test('many values', () => {
    expect(quickly(`a: [${'1,'.repeat(20_000)}]\n`)).toEqual(['1: stands for more than 10000 values']);
  });

  test('many problems, which are counted but not all shown', () => {
    const keys = Array.from({ length: 2000 }, (_, index) => `key${index}: 1`).join('\n');
    const shown = problemsOf(`${common}${keys}\n`, { dev: own });
    expect(shown).toHaveLength(51);
    expect(shown.at(-1)).toBe('… and 1950 more');
  });
});

test('lines are those of the keys, and of the nearest thing above what is missing', () => {
  const { lineOf, has } = parse('roles:\n  web:\n    port: 1\n    secrets:\n      - A\n      - B\n');
  expect(lineOf(['roles', 'web', 'port'])).toBe(3);
  expect(lineOf(['roles', 'web', 'secrets', 1])).toBe(6);
  expect(lineOf(['roles', 'web', 'secrets', 'B'])).toBe(6);
  expect(lineOf(['roles', 'web', 'publish'])).toBe(2);
  expect(lineOf(['app'])).toBe(1);
  expect(has(['roles', 'web', 'port'])).toBe(true);
  expect(has(['roles', 'web', 'secrets', 'C'])).toBe(false);
});
