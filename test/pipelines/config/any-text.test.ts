import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readConfiguration } from '../../../pipelines/config/load.ts';
import { own, sourceFiles } from './files.ts';

const sample = readFileSync(
  path.resolve(import.meta.dirname, '../../../environments/sample/lockage.yaml'),
  'utf8',
).replace('pipeline: [dev, qa, uat, prod]\n', '');

/** Either a project or problems that stand on lines of the file and say something. */
function expectAnAnswer(lockage: string, dev: string): void {
  const { project, problems } = readConfiguration(sourceFiles(lockage, { dev }), '/srv/shop');
  expect(project === undefined).toBe(problems.length > 0);
  for (const { file, line, message } of problems) {
    const lines = (file === 'lockage.yaml' ? lockage : dev).split('\n').length;
    expect(line).toBeGreaterThanOrEqual(1);
    expect(line).toBeLessThanOrEqual(lines);
    expect(message).not.toMatch(
      /^$|undefined|\[object|Invalid input|Invalid string|Too (big|small)|must match pattern/,
    );
  }
}

test('whatever is cut out of or put into a working file, there is an answer', () => {
  const edit = fc.record({
    at: fc.nat(sample.length),
    cut: fc.nat(30),
    put: fc.oneof(
      fc.constantFrom('', ':', '- ', '\t', '{', ']', '&a ', '*a', '"', "'", '#', '\n', '~', '-1', '.inf', '!!set '),
      fc.string(),
    ),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const text = edits.reduce((whole, { at, cut, put }) => whole.slice(0, at) + put + whole.slice(at + cut), sample);
      expectAnAnswer(text, own);
    }),
    { numRuns: 400 },
  );
}, 30_000);

test('whatever value stands in place of another, there is an answer', () => {
  const keys = [
    'app',
    'repository',
    'backend',
    'build',
    'edge',
    'pipeline',
    'roles',
    'accessories',
    'migration',
    'env',
    'secrets',
    'watch',
    'standby',
  ];
  const inner = [
    'command',
    'port',
    'publish',
    'health',
    'count',
    'hosts',
    'env',
    'secrets',
    'limits',
    'hardening',
    'stop',
    'image',
    'volumes',
  ];
  const settings = fc.dictionary(fc.constantFrom(...inner), fc.jsonValue({ maxDepth: 2 }));
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    settings,
    fc.dictionary(fc.constantFrom('web', 'db', 'A'), settings),
  );
  const file = fc.dictionary(fc.constantFrom(...keys), value);
  fc.assert(
    fc.property(
      file,
      fc.dictionary(fc.constantFrom('targets', 'roles', 'accessories', 'env', 'secrets', 'watch'), value),
      (lockage, dev) => {
        const base = { app: 'shop', repository: 'localhost/shop', roles: { web: { port: 80 } } };
        expectAnAnswer(JSON.stringify({ ...base, ...lockage }), JSON.stringify({ targets: ['ssh://host'], ...dev }));
      },
    ),
    { numRuns: 150 },
  );
}, 30_000);
