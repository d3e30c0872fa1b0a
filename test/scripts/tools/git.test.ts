import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printable } from '../../../pipelines/text/printable.ts';
import { commitsBetween, git } from '../../../scripts/tools/git.ts';

describe('the commits between two', () => {
  let folder: string;
  const ids: Record<string, string> = {};

  const commit = async (subject: string) => {
    await writeFile(join(folder, 'file'), subject);
    await git(['add', '.'], { cwd: folder });
    const who = ['-c', 'user.name=Anna', '-c', 'user.email=anna@example.com'];
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
    (await commitsBetween(folder, ids[a] ?? a, ids[b] ?? b))?.map(({ side, subject }) => `${side} ${subject}`);

  test('are those that only one of them is made of', async () => {
    expect(await between('base', 'two')).toEqual(['b two', 'b one']);
    expect(await between('two', 'base')).toEqual(['a two', 'a one']);
    const both = (await between('two', 'three \u001b[31mred')) ?? [];
    expect(both.toSorted()).toEqual(['a one', 'a two', `b ${printable('three \u001b[31mred')}`]);
  });

  test('are not known where the repository does not have one of them, or it is no id', async () => {
    expect(await between('base', 'f'.repeat(40))).toBeUndefined();
    expect(await between('base', '--output=/tmp/file')).toBeUndefined();
  });
});
