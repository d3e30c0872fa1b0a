import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStateFolder } from '../../../scripts/project/state-folder.ts';
import { readGitTree } from '../../../scripts/tools/git.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lockage-state-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

test('a project’s state is for its owner alone, and ignores itself', async () => {
  const folder = await openStateFolder(root);
  expect([folder, statSync(folder).mode & 0o777]).toEqual([join(root, '.lockage'), 0o700]);
  writeFileSync(join(folder, 'passphrase'), 'canary');
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...words], {
      encoding: 'utf8',
    });
  git('init', '--quiet');
  git('commit', '--quiet', '--allow-empty', '--message', 'Empty');
  git('add', '--all');
  expect(git('ls-files')).toBe('');
  expect((await readGitTree(root)).changes).toEqual([]);
});

test('one of before is completed, and what stands in it stays', async () => {
  mkdirSync(join(root, '.lockage'), { mode: 0o755 });
  writeFileSync(join(root, '.lockage/passphrase'), 'canary');
  await openStateFolder(root);
  expect(readFileSync(join(root, '.lockage/.gitignore'), 'utf8')).toBe('*\n');
  chmodSync(join(root, '.lockage/.gitignore'), 0o644);
  writeFileSync(join(root, '.lockage/.gitignore'), '*\n# mine\n');
  await openStateFolder(root);
  expect(readFileSync(join(root, '.lockage/.gitignore'), 'utf8')).toBe('*\n# mine\n');
  expect(readFileSync(join(root, '.lockage/passphrase'), 'utf8')).toBe('canary');
});
