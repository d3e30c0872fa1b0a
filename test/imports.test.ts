import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

// Imports point one way, and each outside world has one module that talks to it. .dependency-cruiser.cjs asks the same
// of resolved modules; this reads the lines themselves, so it holds whatever a resolver makes of them.

const root = resolve(import.meta.dirname, '..');
const folders = ['pipelines', 'infra', 'scripts', 'test'];

/** For each folder, the folders of ours that it may import. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  pipelines: ['pipelines'],
  infra: ['infra', 'pipelines'],
  scripts: ['scripts', 'infra', 'pipelines', 'environments'],
  test: ['test', 'scripts', 'infra', 'pipelines', 'environments'],
};
const corePackages = new Set(['node:crypto', 'node:path', 'semver', 'yaml', 'zod']);
const coreMayNotRead = [
  /\bprocess\.env\b/,
  /\bDate\.now\(/,
  /\bnew Date\(\)/,
  /\bperformance\.now\(/,
  /\bMath\.random\(/,
];

/** Packages that one module alone may import. */
const onlyIn: readonly (readonly [RegExp, string, (string | RegExp)?])[] = [
  // tests are programs of their own; so are the .mjs files, which run before there are packages
  [/^node:child_process$/, 'infra/system/process.ts', /^test\/|\.mjs$/],
  // and the test of a plain run, which drives the engine as a user's `pulumi` does
  [
    /^@pulumi\/pulumi\/automation/,
    'infra/pulumi/stacks.ts',
    /^infra\/pulumi\/program-server\.ts$|^test\/real\/plain-pulumi\.test\.ts$/,
  ],
  [/^zx(\/|$)/, 'scripts/tools/shell.ts'],
  [/^semver(\/|$)/, 'pipelines/model/version.ts'],
];

interface Import {
  readonly from: string;
  readonly typesOnly: boolean;
}

function importsOf(text: string): Import[] {
  const statements = text.matchAll(/^\s*(?:import|export)\s(?<what>[^'";]*?from\s*)?['"](?<from>[^'"]+)['"]/gm);
  const calls = text.matchAll(/\bimport\(\s*['"](?<from>[^'"]+)['"]\s*\)/g);
  return [...statements, ...calls].map(({ groups }) => ({
    from: groups?.['from'] ?? '',
    typesOnly: groups?.['what']?.startsWith('type ') ?? false,
  }));
}

function violations(file: string, text: string): string[] {
  const folder = file.split('/')[0] ?? '';
  const found: string[] = [];
  for (const { from, typesOnly } of importsOf(text)) {
    if (from.startsWith('.')) {
      const target = relative(root, resolve(root, dirname(file), from));
      if (!target.includes('/')) continue;
      if (!mayImport[folder]?.includes(target.split('/')[0] ?? '')) found.push(`${file} imports ${target}`);
    } else if (folder === 'pipelines' && !corePackages.has(from)) {
      found.push(`${file} imports ${from}`);
    }
    for (const [name, home, exception] of onlyIn) {
      const allowed = file === home || (exception instanceof RegExp ? exception.test(file) : file === exception);
      if (name.test(from) && !typesOnly && !allowed) found.push(`${file} imports ${from}, which is for ${home}`);
    }
  }
  if (folder === 'pipelines') {
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    for (const reads of coreMayNotRead) if (reads.test(code)) found.push(`${file} reads ${reads.source}`);
  }
  return found;
}

const sources = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .map((name) => join(folder, name)),
);

test('imports point one way, and the core stays pure', () => {
  expect(sources.length).toBeGreaterThan(10);
  const read = sources.map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
  expect(read.flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(sources.length);
  expect(
    read.flatMap(({ file, text }) => (/^test\/(imports|rooms)\.test\.ts$/.test(file) ? [] : violations(file, text))),
  ).toEqual([]);
});

test('of the command line only its terminal prints, and only its main file ends the process', () => {
  const rules = [
    [/\bconsole\.|process\.std(out|err)\.write|process\[\w+\]\.write/, 'scripts/cli/terminal.ts'],
    [/\bprocess\.exit\(/, 'scripts/cli/main.ts'],
  ] as const;
  const files = sources.filter((file) => file.startsWith('scripts/cli/'));
  const broken = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return rules.filter(([rule, home]) => rule.test(text) && file !== home).map(() => file);
  });
  expect([files.length > 10, broken]).toEqual([true, []]);
});

test('environments are data, but for the sample application that is deployed to them', () => {
  const files = readdirSync(join(root, 'environments'), { recursive: true, encoding: 'utf8' });
  const programs = files.filter((name) => /\.(ts|js|mjs|cjs|sh)$/.test(name));
  expect(programs.filter((name) => !name.startsWith('sample/app/'))).toEqual([]);
});

test.each([
  ['pipelines/a.ts', `import { readFile } from 'node:fs/promises';`],
  ['pipelines/a.ts', `import { now } from '../scripts/clock.ts';`],
  ['pipelines/a.ts', `import type { Output } from '@pulumi/pulumi';`],
  ['pipelines/a.ts', `import {\n  $,\n} from 'zx';`],
  ['pipelines/a.ts', `const home = process.env.HOME;`],
  ['pipelines/a.ts', `const later = Date.now() + 1;`],
  ['infra/a.ts', `export { run } from '../scripts/tools/shell.ts';`],
  ['infra/a.ts', `import { LocalWorkspace } from '@pulumi/pulumi/automation/index.js';`],
  ['scripts/a.ts', `const { $ } = await import('zx');`],
  ['scripts/a.ts', `import semver from 'semver';`],
  ['scripts/a.ts', `import { spawn } from 'node:child_process';`],
  ['scripts/a.ts', `import '../test/support/hosts.ts';`],
])('refuses, in %s, %s', (file, text) => {
  expect(violations(file, text)).not.toEqual([]);
});

test.each([
  ['pipelines/a.ts', `import { createHash } from 'node:crypto';\nimport { parse } from './version.ts';`],
  ['pipelines/a.ts', `// Date.now() would make this another answer each time`],
  ['infra/a.ts', `import type { Stack } from '@pulumi/pulumi/automation/index.js';`],
  ['scripts/a.mjs', `import { spawn } from 'node:child_process';`],
  ['scripts/a.ts', `import { plan } from '../pipelines/model/plan.ts';`],
])('allows, in %s, %s', (file, text) => {
  expect(violations(file, text)).toEqual([]);
});
