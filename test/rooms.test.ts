import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

// A room is a folder of pipelines, infra or scripts. It imports rooms to its right only, counting imports of types; so a
// reader who knows the order knows where a thing can and cannot be.

const root = resolve(import.meta.dirname, '..');

/** Rooms in order: one imports those in later rows only, and rooms of one row do not know each other. */
const rooms: Readonly<Record<string, readonly (readonly string[])[]>> = {
  pipelines: [
    ['operations'],
    ['planning'],
    ['inspection', 'policy', 'hosts', 'config', 'databases'],
    ['model'],
    ['errors.ts'],
    ['text'],
  ],
  infra: [
    ['adapters'],
    ['pulumi'],
    ['provider', 'programs', 'hosts', 'databases'],
    ['workloads', 'machines'],
    ['context'],
    ['resources'],
    ['edge'],
    ['docker'],
    ['registry', 'webhooks', 'github', 'keys'],
    ['system'],
  ],
  scripts: [
    ['demo', 'pulumi', 'run.mjs', 'nodes.mjs', 'build.mjs', 'package.mjs'],
    ['cli', 'lab', 'setup.mjs'],
    ['project', 'setup', 'load', 'test-projects.mjs'],
    ['tools', 'testing'],
  ],
};

/** What only these rooms of scripts may import. */
const adapters = { room: 'adapters', for: ['cli', 'pulumi'] };

/** What belongs in one place, as it is written in a line of code. */
const homes: readonly (readonly [what: string, line: RegExp, home: RegExp])[] = [
  [
    'a file is written',
    /\b(writeFile|appendFile|copyFile|createWriteStream|truncate|symlink)(Sync)?\(|\b(await |return )(rename|cp|link)\(/,
    /^infra\/(system|machines)\/|^infra\/docker\/tls\/tls\.ts$|\.mjs$|^scripts\/(lab|setup|demo|project)\//,
  ],
  ['a process is asked whether it lives', /\bkill\([^,]+, 0\)/, /^infra\/system\/is-alive\.ts$|\.mjs$/],
  ['the clock of the core is read', /\b(Date\.now|performance\.now|new Date)\(\)/, /^(infra|scripts)\//],
  [
    'the clock of the wall is read, which deadlines and durations must not follow',
    /\bDate\.now\(\)/,
    // Ends of certificates, ages of files and what follows from them, what a server names a date for, and the clock of a host itself.
    /^scripts\/|^infra\/(docker\/tls|databases\/forks|hosts\/(facts|elapsed|environment-lock|standing)|pulumi\/stack-runs|machines\/(accelerator|image\/image)|registry\/retry|system\/(append-log|file-lock)|workloads\/(container\/host-(view|report)|foundation\/accessory-container))/,
  ],
];

const sources = Object.keys(rooms).flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .map((name) => join(folder, name)),
);
const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

/** Files of ours that a file imports, for their types too. */
function importsOf(file: string, text: string): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g);
  return [...found].map(([, from = '']) => relative(root, resolve(root, dirname(file), from)));
}

function rowOf(file: string): number {
  const [folder = '', room = ''] = file.split('/');
  return rooms[folder]?.findIndex((row) => row.includes(room)) ?? -1;
}

function wrongImports(file: string, text: string): string[] {
  const [folder, room = ''] = file.split('/');
  return importsOf(file, text).flatMap((target) => {
    const [otherFolder, otherRoom = ''] = target.split('/');
    const what = [`${file} imports ${target}`];
    if (folder === 'scripts' && target.startsWith('infra/')) {
      return otherRoom === adapters.room && !adapters.for.includes(room) ? what : [];
    }
    if (otherFolder !== folder || otherRoom === room) return [];
    return rowOf(target) > rowOf(file) ? [] : what;
  });
}

/** A way from a file back to itself, if there is one. */
function circleFrom(start: string, graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const seen = new Set<string>();
  const walk = (file: string, path: string[]): string[] | undefined => {
    for (const next of graph.get(file) ?? []) {
      if (next === start) return [...path, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = walk(next, [...path, next]);
      if (found) return found;
    }
    return undefined;
  };
  return walk(start, [start]);
}

describe('rooms', () => {
  test('every file lies in a room, and few lie loose', () => {
    expect(sources.length).toBeGreaterThan(250);
    expect(sources.filter((file) => rowOf(file) < 0)).toEqual([]);
    const loose = (folder: string) => sources.filter((file) => dirname(file) === folder && file.endsWith('.ts'));
    expect(['infra', 'pipelines', 'scripts'].map((folder) => loose(folder).length)).toEqual([0, 1, 0]);
  });

  test('a room imports rooms to its right only', () => {
    expect(sources.flatMap((file) => wrongImports(file, textOf(file)))).toEqual([]);
  });

  test('no file needs itself, also not for a type', () => {
    const graph = new Map(sources.map((file) => [file, importsOf(file, textOf(file))]));
    expect(sources.flatMap((file) => circleFrom(file, graph) ?? [])).toEqual([]);
  });

  test.each([
    ['pipelines/model/a.ts', `import type { Plan } from '../planning/plan-rollout.ts';`],
    ['pipelines/policy/a.ts', `import { preparationOf } from '../hosts/preparation.ts';`],
    ['infra/docker/a.ts', `const { Edge } = await import('../edge/edge.ts');`],
    ['infra/workloads/container/a.ts', `import { hostOf } from '../../machines/machine.ts';`],
    ['scripts/setup/a.ts', `import { RecordsAdapter } from '../../infra/adapters/records.ts';`],
    ['scripts/tools/a.ts', `import { loadProject } from '../project/load.ts';`],
  ])('refuses, in %s, %s', (file, text) => {
    expect(wrongImports(file, text)).not.toEqual([]);
  });
});

test.each(homes)('where %s', (_what, line, home) => {
  const code = (file: string) => textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  expect(sources.filter((file) => !home.test(file) && line.test(code(file)))).toEqual([]);
});
