import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from '../../../infra/system/process.ts';
import { printable } from '../../../pipelines/text/printable.ts';
import { commitsBetween, isShallow } from '../../../scripts/tools/commits.ts';
import { git } from '../../../scripts/tools/git.ts';

const who = ['-c', 'user.name=Anna', '-c', 'user.email=anna@example.com'];

describe('the commits between two', () => {
  let folder: string;
  const ids: Record<string, string> = {};

  const commit = async (subject: string) => {
    await writeFile(join(folder, 'file'), subject);
    await git(['add', '.'], { cwd: folder });
    await git([...who, 'commit', '--quiet', '--message', subject], { cwd: folder });
    ids[subject] = (await git(['rev-parse', 'HEAD'], { cwd: folder })).trim();
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lockage-git-'));
    await git(['init', '--quiet', '--initial-branch', 'main'], { cwd: folder });
    for (const subject of ['base', 'one', 'two']) await commit(subject);
    await git(['checkout', '--quiet', '-b', 'side', ids['base'] ?? ''], { cwd: folder });
    await commit('three \u001b[31mred');
  });

  afterAll(() => rm(folder, { recursive: true }));

  const between = async (a: string, b: string) =>
    (await commitsBetween(folder, ids[a] ?? a, ids[b] ?? b))?.listed.map(({ side, subject }) => `${side} ${subject}`);

  test('are those that only one of them is made of', async () => {
    expect(await between('base', 'two')).toEqual(['b two', 'b one']);
    expect(await between('two', 'base')).toEqual(['a two', 'a one']);
    const both = (await between('two', 'three \u001b[31mred')) ?? [];
    expect(both.toSorted()).toEqual(['a one', 'a two', `b ${printable('three \u001b[31mred')}`]);
  });

  test.each(['\r', '\u2028', '\u2029', '\u0085', '\u000b', ' > f00 '])(
    'are all there, also one with %j in its subject',
    async (odd) => {
      await git(['checkout', '--quiet', '-B', 'odd', ids['two'] ?? ''], { cwd: folder });
      await commit(`fix${odd}hidden`);
      expect(await between('two', `fix${odd}hidden`)).toEqual([`b ${printable(`fix${odd}hidden`)}`]);
    },
  );

  test('are the newest 500, and that there are more is said', async () => {
    const script = Array.from({ length: 501 }, (_, at) => {
      const from = at === 0 ? `from ${ids['two']}\n` : '';
      return `commit refs/heads/many\nmark :${at + 1}\ncommitter Anna <anna@example.com> ${1_800_000_000 + at} +0000\ndata 3\none\n${from}`;
    });
    await runToEnd('git', ['fast-import', '--quiet'], 60_000, { cwd: folder, stdin: script.join('\n') });
    const of = async (name: string) => (await git(['rev-parse', name], { cwd: folder })).trim();
    const whole = await commitsBetween(folder, ids['two'] ?? '', await of('many'));
    expect(whole).toMatchObject({ more: true, listed: { length: 500 } });
    expect(await commitsBetween(folder, ids['two'] ?? '', await of('many~1'))).not.toHaveProperty('more');
  });

  test('are not known where the repository does not have one of them, or it is no id', async () => {
    expect(await between('base', 'f'.repeat(40))).toBeUndefined();
    expect(await between('base', '--output=/tmp/file')).toBeUndefined();
  });
});

describe('a folder of a repository that others work in, too', () => {
  let base: string;
  let repo: string;
  const ids: string[] = [];

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'lockage-monorepo-'));
    repo = join(base, 'repo');
    await mkdir(repo);
    await git(['init', '--quiet', '--initial-branch', 'main'], { cwd: repo });
    for (const [file, subject] of [
      ['shop/lockage.yaml', 'begin'],
      ['shop/main.ts', 'shop: one'],
      ['api/main.ts', 'api: one'],
      ['docker/Dockerfile', 'docker: one'],
      ['README.md', 'read me'],
    ] as const) {
      await mkdir(join(repo, file, '..'), { recursive: true });
      await writeFile(join(repo, file), subject);
      await git(['add', '.'], { cwd: repo });
      await git([...who, 'commit', '--quiet', '--message', subject], { cwd: repo });
      ids.push((await git(['rev-parse', 'HEAD'], { cwd: repo })).trim());
    }
  });

  afterAll(() => rm(base, { recursive: true, force: true }));

  test.each([
    [['.'], ['shop: one']],
    [
      ['.', '../docker/Dockerfile', 'lockage.yaml'],
      ['docker: one', 'shop: one'],
    ],
    [['../api'], ['api: one']],
    [['..'], ['read me', 'docker: one', 'api: one', 'shop: one']],
    [['gone'], []],
  ])('has the commits that changed %j', async (parts, subjects) => {
    const [first = '', last = ''] = [ids[0], ids.at(-1)];
    const found = await commitsBetween(join(repo, 'shop'), first, last, parts);
    expect(found?.listed.map(({ subject }) => subject)).toEqual(subjects);
  });

  test('has none that can be told where a clone lacks what is between', async () => {
    const [first = '', , third = '', last = ''] = [ids[0], ids[1], ids[2], ids.at(-1)];
    await git(['config', 'uploadpack.allowAnySHA1InWant', 'true'], { cwd: repo });
    const clone = join(base, 'clone');
    await git(['clone', '--quiet', '--depth', '3', `file://${repo}`, clone], { cwd: base });
    await git(['fetch', '--quiet', '--depth', '1', 'origin', first], { cwd: clone });
    expect(await isShallow(clone)).toBe(true);
    expect(await isShallow(repo)).toBe(false);
    expect(await commitsBetween(clone, first, last)).toBeUndefined();
    expect((await commitsBetween(clone, third, last))?.listed.map(({ subject }) => subject)).toEqual([
      'read me',
      'docker: one',
    ]);
    await git(['fetch', '--quiet', '--unshallow'], { cwd: clone });
    expect((await commitsBetween(clone, first, last))?.listed).toHaveLength(4);
  });
});
