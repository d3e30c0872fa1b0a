import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import type { BuildSource } from '../../../pipelines/operations/ports/builder.ts';
import { withBuildContext } from '../../../scripts/project/build-context.ts';
import { readGitTree } from '../../../scripts/tools/git.ts';

let base: string;
let repo: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'lockage-repositories-')));
  repo = join(base, 'repo');
  vi.stubEnv('GIT_CONFIG_GLOBAL', join(base, 'gitconfig'));
  vi.stubEnv('GIT_CONFIG_NOSYSTEM', '1');
  await writeFile(
    join(base, 'gitconfig'),
    '[user]\nname = t\nemail = t@example.com\n[protocol "file"]\nallow = always\n',
  );
  git('init', '--quiet', repo);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(base, { recursive: true, force: true });
});

const git = (...words: string[]) => execFileSync('git', words, { encoding: 'utf8', stdio: 'pipe', cwd: base }).trim();

async function write(files: Readonly<Record<string, string>>, folder = repo): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

function commit(folder = repo): string {
  git('-C', folder, 'add', '--all');
  git('-C', folder, 'commit', '--quiet', '--message', 'A change');
  return git('-C', folder, 'rev-parse', 'HEAD');
}

/** Returns `MODE PATH TEXT` of what a build sees, folders first. */
function see(root: string, source: BuildSource, context = '.'): Promise<string[]> {
  const list = (folder: string, below: string): string[] =>
    readdirSync(folder).flatMap((name) => {
      const [file, path] = [join(folder, name), `${below}${name}`];
      const found = lstatSync(file);
      const mode = (found.mode & 0o777).toString(8);
      if (found.isSymbolicLink()) return [`link ${path}`];
      return found.isDirectory()
        ? [`${mode} ${path}/`, ...list(file, `${path}/`)]
        : [`${mode} ${path} ${readFileSync(file, 'utf8')}`];
    });
  const build = { context, dockerfile: 'Dockerfile' };
  return withBuildContext({ root, source, build }, async (made) => list(made.context, ''));
}

const refused = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('was not refused');
    },
    (error: unknown) => {
      if (!(error instanceof LockageError)) throw error;
      return { message: error.message, details: error.details, hint: error.hint };
    },
  );

describe('variables that git sets for a hook', () => {
  beforeEach(async () => {
    await write({ 'shop/Dockerfile': 'FROM x' });
    await write({ Dockerfile: 'FROM other' }, join(base, 'other'));
    git('init', '--quiet', join(base, 'other'));
    commit(join(base, 'other'));
  });

  test.each([
    ['its folder', { GIT_DIR: '.git' }],
    ['its index', { GIT_INDEX_FILE: '.git/index.lock', GIT_PREFIX: 'shop/' }],
    ['another repository', { GIT_DIR: 'OTHER/.git' }],
    ['another one with its files', { GIT_DIR: 'OTHER/.git', GIT_WORK_TREE: 'OTHER' }],
    ['a folder that is gone', { GIT_DIR: '/gone/.git', GIT_WORK_TREE: '/gone' }],
    ['where objects are', { GIT_OBJECT_DIRECTORY: '/gone', GIT_ALTERNATE_OBJECT_DIRECTORIES: '/gone' }],
    ['a common folder', { GIT_COMMON_DIR: 'OTHER/.git' }],
  ])('say %s, and the folder’s own repository counts', async (_case, variables) => {
    const made = commit();
    for (const [name, value] of Object.entries(variables))
      vi.stubEnv(name, value.replace('OTHER', join(base, 'other')));
    const root = join(repo, 'shop');
    expect(await readGitTree(root)).toEqual({ commit: made, changes: [] });
    expect(await see(root, { commit: made })).toEqual(['644 Dockerfile FROM x']);
    expect(await see(root, 'folder')).toEqual(['644 Dockerfile FROM x']);
  });

  test('count where a folder’s repository is kept elsewhere', async () => {
    const folder = join(base, 'bare-files');
    await write({ Dockerfile: 'FROM y' }, folder);
    vi.stubEnv('GIT_DIR', join(base, 'elsewhere.git'));
    vi.stubEnv('GIT_WORK_TREE', folder);
    git('init', '--quiet');
    const made = commit(folder);
    expect(await readGitTree(folder)).toEqual({ commit: made, changes: [] });
    expect(await see(folder, { commit: made })).toEqual(['644 Dockerfile FROM y']);
  });
});

describe('a commit is the same for everybody who builds it', () => {
  const before = process.umask();
  afterEach(() => process.umask(before));

  async function committed(): Promise<string> {
    await write({
      Dockerfile: 'FROM x\n',
      'bin/run.sh': '#!/bin/sh\n',
      '.gitattributes': '* text=auto\n*.bat eol=crlf\n',
    });
    await write({ 'a.bat': 'a\r\n' });
    chmodSync(join(repo, 'bin/run.sh'), 0o755);
    await symlink('run.sh', join(repo, 'bin/link'));
    return commit();
  }
  const expected = [
    '644 .gitattributes * text=auto\n*.bat eol=crlf\n',
    '644 Dockerfile FROM x\n',
    '644 a.bat a\r\n',
    '755 bin/',
    'link bin/link',
    '755 bin/run.sh #!/bin/sh\n',
  ];

  test.each([0o022, 0o077, 0o027, 0o002, 0o000])('with a umask of %o', async (umask) => {
    const made = await committed();
    process.umask(umask);
    expect(await see(repo, { commit: made })).toEqual(expected);
  });

  test.each([
    'core.autocrlf=true',
    'core.autocrlf=input',
    'core.eol=crlf',
    'core.symlinks=false',
    'core.fileMode=false',
    'core.sharedRepository=0600',
  ])('with %s', async (setting) => {
    const made = await committed();
    git('-C', repo, 'config', ...setting.split('='));
    expect(await see(repo, { commit: made })).toEqual(expected);
  });
});

describe('Git LFS', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`;
  const kept = { '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n', Dockerfile: 'FROM x' };
  const hint =
    'Install git-lfs, run `git lfs install` and `git lfs pull`, then release again; or leave them out by .dockerignore.';
  const message = 'Git LFS keeps files of the build, and their contents are not here';

  test.each([
    ['at the top', { 'a.bin': pointer }, ['a.bin']],
    ['deep below, with a name of its own', { 'x/ü "y"/b.bin': pointer }, ['x/ü "y"/b.bin']],
    ['beside others that are whole', { 'a.bin': pointer, 'b.bin': 'contents' }, ['a.bin']],
    ['by attributes of a folder', { 'm/.gitattributes': '* filter=lfs\n', 'm/model': pointer }, ['m/model']],
    [
      'in great number',
      Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`${String.fromCharCode(97 + index)}.bin`, pointer])),
      Array.from('abcdefghij')
        .map((name) => `${name}.bin`)
        .concat('and 2 more'),
    ],
  ])('whose program is not here is refused: pointers %s', async (_case, files, details) => {
    await write({ ...kept, ...files });
    const made = commit();
    expect(await refused(see(repo, { commit: made }))).toEqual({ message, details, hint });
    expect(await refused(see(repo, 'folder'))).toEqual({ message, details, hint });
  });

  test('in a submodule is refused as well', async () => {
    const library = join(base, 'library');
    git('init', '--quiet', library);
    await write({ ...kept, 'a.bin': pointer }, library);
    commit(library);
    await write({ Dockerfile: 'FROM x' });
    git('-C', repo, 'submodule', '--quiet', 'add', library, 'lib');
    expect(await refused(see(repo, { commit: commit() }))).toEqual({ message, details: ['lib/a.bin'], hint });
  });

  test.each([
    ['by .dockerignore', { '.dockerignore': 'art\n*.bin\n' }],
    [
      'by both lists, where the Dockerfile has its own',
      { '.dockerignore': '**', 'Dockerfile.dockerignore': 'art\n*.bin' },
    ],
  ])('is nobody’s business in files that a build leaves out %s', async (_case, lists) => {
    await write({ ...kept, ...lists, 'a.bin': pointer, 'art/deep/b.bin': pointer });
    const made = commit();
    for (const source of [{ commit: made }, 'folder'] as const) expect(await see(repo, source)).toContain('755 art/');
  });

  test.each([
    ['one list alone', { '.dockerignore': '*.bin', 'Dockerfile.dockerignore': 'x' }, 'a.bin'],
    ['a list that takes it back', { '.dockerignore': '*\n!a.*\n' }, 'a.bin'],
    ['a list of other files', { '.dockerignore': 'x\n' }, 'a.bin'],
    [
      'a list that is a pointer itself',
      { '.dockerignore': `${pointer}*`, '.gitattributes': '* filter=lfs' },
      '.dockerignore',
    ],
  ])('is refused where it is left out by %s', async (_case, lists, file) => {
    await write({ ...kept, 'a.bin': pointer, ...lists });
    const made = commit();
    for (const source of [{ commit: made }, 'folder'] as const)
      expect((await refused(see(repo, source))).details).toEqual([file]);
  });

  test('in a submodule that a build leaves out is nobody’s business', async () => {
    const library = join(base, 'library');
    git('init', '--quiet', library);
    await write({ ...kept, 'a.bin': pointer }, library);
    commit(library);
    await write({ Dockerfile: 'FROM x', '.dockerignore': 'lib\n' });
    git('-C', repo, 'submodule', '--quiet', 'add', library, 'lib');
    const made = commit();
    for (const source of [{ commit: made }, 'folder'] as const) expect(await see(repo, source)).toContain('755 lib/');
  });

  test('whose filter writes the contents is built', async () => {
    await write({ ...kept, 'a.bin': pointer });
    const made = commit();
    git('-C', repo, 'config', 'filter.lfs.smudge', 'echo contents');
    expect(await see(repo, { commit: made })).toContain('644 a.bin contents\n');
  });

  test.each(['git-lfs-is-not-here smudge', 'echo "smudge filter lfs failed" >&2; false', 'git-lfs filter-process'])(
    'that is set up, and whose program fails (%s), says what to install',
    async (program) => {
      await write({ ...kept, 'a.bin': pointer });
      const made = commit();
      git('-C', repo, 'config', 'filter.lfs.smudge', program);
      git('-C', repo, 'config', 'filter.lfs.required', 'true');
      const { message: said, hint: help } = await refused(see(repo, { commit: made }));
      expect(said).toMatch(/^`git checkout-index -z --stdin` failed in /);
      expect(help).toContain('Install git-lfs');
    },
  );

  test('is nobody’s business in files that are not built, are empty, or only look like its own', async () => {
    await write({
      'shop/Dockerfile': 'FROM x',
      'shop/e.bin': '',
      'shop/doc.txt': pointer,
      ...kept,
      'art/a.bin': pointer,
    });
    const made = commit();
    const expected = ['644 Dockerfile FROM x', `644 doc.txt ${pointer}`, '644 e.bin '];
    expect(await see(repo, { commit: made }, 'shop')).toEqual(expected);
    expect(await see(repo, 'folder', 'shop')).toEqual(expected);
  });
});

describe('without git', () => {
  let folder: string;

  beforeEach(async () => {
    folder = join(base, 'plain');
    await write({ Dockerfile: 'FROM x', 'src/a': 'a', '.lockage/passphrase': 'canary' }, folder);
  });
  const hide = () => vi.stubEnv('PATH', join(base, 'no-programs'));

  test.each([
    ['as it is', {}],
    ['with the list that `init` writes', { '.gitignore': '.lockage/\n' }],
    ['with an empty list', { '.gitignore': '\n# nothing\n' }],
    ['with attributes', { '.gitattributes': '*.bin filter=lfs\n' }],
    ['with state below', { 'src/.lockage/state': 'canary' }],
  ])('a folder that is in no repository is built %s, without state', async (_case, files) => {
    await write(files, folder);
    hide();
    expect(await readGitTree(folder)).toEqual({ changes: [] });
    const own = Object.entries(files).flatMap(([name, text]) =>
      name.startsWith('src') ? [] : [`644 ${name} ${text}`],
    );
    expect(await see(folder, 'folder')).toEqual([...own, '644 Dockerfile FROM x', '755 src/', '644 src/a a']);
  });

  test.each([
    ['a repository', '.git/HEAD', 'git is not installed here'],
    ['a worktree of one', '.git', 'git is not installed here'],
    ['a folder of one', '../.git/HEAD', 'git is not installed here'],
    [
      'a list of what to leave out',
      '.gitignore',
      'git is not installed here, and only it knows what .gitignore leaves out',
    ],
    [
      'one further down',
      'src/.gitignore',
      'git is not installed here, and only it knows what src/.gitignore leaves out',
    ],
  ])('%s is refused with what to install', async (_case, file, message) => {
    await write({ [file]: 'secret.key\n' }, folder);
    hide();
    const { hint, ...error } = await refused(readGitTree(folder).then(() => see(folder, 'folder')));
    expect(error).toEqual({ message, details: [] });
    expect(hint).toMatch(/apt-get install git/);
  });
});

test('a repository with SHA-256 objects is built as any other', async () => {
  const folder = join(base, 'sha256');
  git('init', '--quiet', '--object-format=sha256', folder);
  await write({ Dockerfile: 'FROM x' }, folder);
  const made = commit(folder);
  expect(made).toHaveLength(64);
  expect(await readGitTree(folder)).toEqual({ commit: made, changes: [] });
  expect(await see(folder, { commit: made })).toEqual(['644 Dockerfile FROM x']);
});

test('a clone with the last commit alone, or with no contents yet, is built', async () => {
  await write({ Dockerfile: 'FROM x' });
  commit();
  await write({ Dockerfile: 'FROM y' });
  const made = commit();
  git('-C', repo, 'config', 'uploadpack.allowFilter', 'true');
  for (const [name, option] of [
    ['shallow', '--depth=1'],
    ['blobless', '--filter=blob:none'],
  ] as const) {
    const clone = join(base, name);
    git('clone', '--quiet', '--no-checkout', option, `file://${repo}`, clone);
    git('-C', clone, 'checkout', '--quiet', '--detach');
    expect(await see(clone, { commit: made }), name).toEqual(['644 Dockerfile FROM y']);
    expect(existsSync(join(clone, 'Dockerfile'))).toBe(true);
  }
});
