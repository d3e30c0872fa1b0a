import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withBuildContext, type ContextRequest } from '../../../scripts/project/build-context.ts';
import { readGitTree } from '../../../scripts/tools/git.ts';

let base: string;
let repo: string;

beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'lockage-context-')));
  repo = join(base, 'repo');
  mkdirSync(repo);
  git('init', '--quiet');
});

afterEach(() => rm(base, { recursive: true, force: true }));

const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'protocol.file.allow=always'];

function gitIn(folder: string, ...words: string[]): string {
  return execFileSync('git', ['-C', folder, ...identity, ...words], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function git(...words: string[]): string {
  return gitIn(repo, ...words);
}

async function write(files: Readonly<Record<string, string>>, folder = repo): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

function commit(folder = repo): string {
  gitIn(folder, 'add', '--all');
  gitIn(folder, 'commit', '--quiet', '--message', 'A change');
  return gitIn(folder, 'rev-parse', 'HEAD');
}

/** Files by path, with their text, or where they lead. */
function read(folder: string): Record<string, string> {
  const entries = readdirSync(folder)
    .sort()
    .map((name): Record<string, string> => {
      const file = join(folder, name);
      const found = lstatSync(file);
      if (found.isSymbolicLink()) return { [name]: `-> ${readlinkSync(file)}` };
      if (!found.isDirectory()) return { [name]: readFileSync(file, 'utf8') };
      return Object.fromEntries(Object.entries(read(file)).map(([below, text]) => [`${name}/${below}`, text]));
    });
  return Object.assign({}, ...entries) as Record<string, string>;
}

interface Seen {
  readonly files: Record<string, string>;
  /** relative to the context */
  readonly dockerfile: string;
}

function see(request: Partial<ContextRequest> & { context?: string; dockerfile?: string }): Promise<Seen> {
  const {
    root = repo,
    context = '.',
    dockerfile = 'Dockerfile',
    source = { commit: git('rev-parse', 'HEAD') },
  } = request;
  return withBuildContext({ root, source, build: { context, dockerfile } }, async (made) => ({
    files: read(made.context),
    dockerfile: relative(made.context, made.dockerfile),
  }));
}

const secrets = { '.lockage/passphrase': 'canary', 'secrets/tls.key': 'canary', '.env': 'canary' };

test('a commit’s context is the commit: nothing ignored, changed or new, no .git, and no state', async () => {
  await write({ Dockerfile: 'FROM x', 'src/a.txt': 'a', '.gitignore': 'secrets/\n.env\n' });
  commit();
  await write({ ...secrets, 'src/a.txt': 'changed', 'new.txt': 'new' });
  expect(await see({})).toEqual({
    files: { Dockerfile: 'FROM x', 'src/a.txt': 'a', '.gitignore': 'secrets/\n.env\n' },
    dockerfile: 'Dockerfile',
  });
});

test('state that somebody committed does not enter either, and is no change', async () => {
  await write({ Dockerfile: 'FROM x', '.lockage/passphrase': 'canary', 'other/.lockage/state/x': 'canary' });
  const made = commit();
  expect(Object.keys((await see({})).files)).toEqual(['Dockerfile']);
  await write({ '.lockage/passphrase': 'another', '.lockage/new': 'x' });
  expect(await readGitTree(repo)).toEqual({ commit: made, changes: [] });
  expect(Object.keys((await see({ source: 'folder' })).files)).toEqual(['Dockerfile']);
});

test('a folder’s context is what git tracks or does not ignore, as it is on disk', async () => {
  await write({ Dockerfile: 'FROM x', 'a.txt': 'a', 'gone.txt': 'gone', '.gitignore': 'secrets/\n.env\n' });
  commit();
  await write({ ...secrets, 'a.txt': 'changed', 'deep/new.txt': 'new' });
  rmSync(join(repo, 'gone.txt'));
  expect((await see({ source: 'folder' })).files).toEqual({
    Dockerfile: 'FROM x',
    'a.txt': 'changed',
    'deep/new.txt': 'new',
    '.gitignore': 'secrets/\n.env\n',
  });
});

test('attributes of an archive change nothing', async () => {
  await write({ Dockerfile: 'FROM x', 'id.txt': '$Format:%H$', 'left.txt': 'out' });
  await write({ '.gitattributes': 'left.txt export-ignore\nid.txt export-subst\n' });
  commit();
  expect((await see({})).files).toMatchObject({ 'id.txt': '$Format:%H$', 'left.txt': 'out' });
});

test('filters and line ends are those of a checkout, also in a part of the repository', async () => {
  git('config', 'filter.shout.smudge', 'tr a-z A-Z');
  git('config', 'filter.shout.clean', 'tr A-Z a-z');
  await write({ '.gitattributes': 'app/*.loud filter=shout\n*.bat eol=crlf\n' });
  await write({ 'app/Dockerfile': 'FROM x', 'app/word.loud': 'quiet', 'app/run.bat': 'a\nb\n' });
  commit();
  expect((await see({ context: 'app' })).files).toEqual({
    Dockerfile: 'FROM x',
    'word.loud': 'QUIET',
    'run.bat': 'a\r\nb\r\n',
  });
});

test('a filter that fails is an error, and no file that is missing', async () => {
  await write({ Dockerfile: 'FROM x', 'big.bin': 'x', '.gitattributes': '*.bin filter=broken\n' });
  commit();
  git('config', 'filter.broken.smudge', 'false');
  git('config', 'filter.broken.required', 'true');
  await expect(see({})).rejects.toThrow(/git/);
});

test.each(['commit', 'folder'] as const)('links stay links and modes stay modes (%s)', async (from) => {
  await write({ Dockerfile: 'FROM x', 'run.sh': '#!/bin/sh\n' });
  chmodSync(join(repo, 'run.sh'), 0o755);
  await symlink('run.sh', join(repo, 'link'));
  await symlink('/etc/hostname', join(repo, 'out'));
  const source = from === 'folder' ? from : { commit: commit() };
  const build = { context: '.', dockerfile: 'Dockerfile' };
  await withBuildContext({ root: repo, source, build }, async ({ context }) => {
    expect(read(context)).toMatchObject({ link: '-> run.sh', out: '-> /etc/hostname' });
    expect(statSync(join(context, 'run.sh')).mode & 0o111).toBe(0o111);
    expect(statSync(join(context, 'Dockerfile')).mode & 0o111).toBe(0);
    // Everybody’s temporary folder: nobody else can look in.
    expect(statSync(dirname(context)).mode & 0o777).toBe(0o700);
  });
});

test.each(['commit', 'folder'] as const)('names may be anything (%s)', async (from) => {
  const names = ['with space', '-leading', 'new\nline', 'ünïcode', '"quoted"', ':(top)magic'];
  await write(Object.fromEntries(['Dockerfile', ...names].map((name) => [name, name])));
  const bytes = Buffer.concat([Buffer.from(`${repo}/latin-`), Buffer.from([0xe9])]);
  await writeFile(bytes, 'bytes');
  const source = from === 'folder' ? from : { commit: commit() };
  const build = { context: '.', dockerfile: 'Dockerfile' };
  await withBuildContext({ root: repo, source, build }, async ({ context }) => {
    expect(names.map((name) => readFileSync(join(context, name), 'utf8'))).toEqual(names);
    expect(readFileSync(Buffer.concat([Buffer.from(`${context}/latin-`), Buffer.from([0xe9])]), 'utf8')).toBe('bytes');
  });
});

test.each(['commit', 'folder'] as const)(
  'a project in a part of a repository takes what it names (%s)',
  async (from) => {
    const root = join(repo, 'services/-shop one');
    await write({ 'libs/a.txt': 'a', '.dockerignore': 'x', 'services/-shop one/app/main.js': 'main' });
    await write({ 'services/-shop one/Dockerfile': 'FROM x', 'services/other/b.txt': 'b' });
    const source = from === 'folder' ? from : { commit: commit() };
    expect(await see({ root, source })).toEqual({
      files: { Dockerfile: 'FROM x', 'app/main.js': 'main' },
      dockerfile: 'Dockerfile',
    });
    expect(await see({ root, source, context: 'app', dockerfile: '../Dockerfile' })).toEqual({
      files: { 'main.js': 'main' },
      dockerfile: '../Dockerfile',
    });
    const all = await see({ root, source, context: '../..', dockerfile: 'services/-shop one/Dockerfile' });
    expect([Object.keys(all.files).length, all.dockerfile]).toEqual([5, 'services/-shop one/Dockerfile']);
    await expect(see({ root, source, context: '../../..' })).rejects.toThrow('leads out of the git repository');
  },
);

test.each(['commit', 'folder'] as const)('a context or Dockerfile that is a link is followed (%s)', async (from) => {
  await write({ 'packages/web/a.txt': 'a', 'docker/web': 'FROM x', 'docker/web.dockerignore': 'y', 'lists/i': 'z' });
  await symlink('packages/web', join(repo, 'app'));
  await symlink('../../docker/web', join(repo, 'packages/web/Dockerfile'));
  await symlink('../../lists/i', join(repo, 'packages/web/.dockerignore'));
  await symlink('/etc', join(repo, 'away'));
  const source = from === 'folder' ? from : { commit: commit() };
  const build = { context: 'app', dockerfile: 'Dockerfile' };
  await withBuildContext({ root: repo, source, build }, async ({ context, dockerfile }) => {
    expect(readFileSync(dockerfile, 'utf8')).toBe('FROM x');
    expect(readFileSync(`${dockerfile}.dockerignore`, 'utf8')).toBe('y');
    expect(readFileSync(join(context, '.dockerignore'), 'utf8')).toBe('z');
    expect(Object.keys(read(context))).toEqual(['.dockerignore', 'Dockerfile', 'a.txt']);
  });
  await expect(see({ source, context: 'away' })).rejects.toThrow('leads out of the git repository');
});

test('a file below what is a link by now is gone, and nothing is read or written through the link', async () => {
  const elsewhere = join(base, 'elsewhere');
  await write({ 'a.txt': 'canary' }, elsewhere);
  await write({ Dockerfile: 'FROM x', 'sub/a.txt': 'a' });
  commit();
  rmSync(join(repo, 'sub'), { recursive: true });
  await symlink(elsewhere, join(repo, 'sub'));
  expect((await see({ source: 'folder' })).files).toEqual({ Dockerfile: 'FROM x', sub: `-> ${elsewhere}` });
  expect(read(elsewhere)).toEqual({ 'a.txt': 'canary' });
});

test('what is not in the commit is refused by name', async () => {
  await write({ 'a.txt': 'a', 'app/b.txt': 'b', '.gitignore': 'Dockerfile\nnew/\n' });
  const made = commit().slice(0, 7);
  await write({ Dockerfile: 'FROM x', 'new/Dockerfile': 'FROM x' });
  await expect(see({})).rejects.toThrow(`the Dockerfile Dockerfile is not in commit ${made}`);
  await expect(see({ context: 'app' })).rejects.toThrow(`the Dockerfile app/Dockerfile is not in commit ${made}`);
  await expect(see({ context: 'new' })).rejects.toThrow(`the build context new is not in commit ${made}`);
  await expect(see({ context: 'a.txt' })).rejects.toThrow(`the build context a.txt is not in commit ${made}`);
  await expect(see({ source: 'folder' })).rejects.toThrow('the Dockerfile Dockerfile is not there, or git ignores it');
  await expect(see({ context: '.git' })).rejects.toThrow('the build context .git is not in commit');
  await expect(see({ context: '.lockage' })).rejects.toThrow('the build context .lockage is not in commit');
});

test('a submodule comes at its recorded commit, or from the folder as it is there', async () => {
  const library = join(base, 'library');
  mkdirSync(library);
  gitIn(library, 'init', '--quiet');
  await write({ 'lib.txt': 'recorded', '.gitignore': '.env\n' }, library);
  commit(library);
  await write({ Dockerfile: 'FROM x' });
  git('submodule', '--quiet', 'add', library, 'vendor/lib');
  commit();
  await write({ 'vendor/lib/lib.txt': 'changed', 'vendor/lib/.env': 'canary', 'vendor/lib/new.txt': 'new' });
  expect((await see({})).files).toMatchObject({ 'vendor/lib/lib.txt': 'recorded' });
  expect(Object.keys((await see({})).files)).not.toContain('vendor/lib/new.txt');
  const folder = (await see({ source: 'folder' })).files;
  expect(folder).toMatchObject({ 'vendor/lib/lib.txt': 'changed', 'vendor/lib/new.txt': 'new' });
  expect(Object.keys(folder).filter((name) => /\.env|\.git$/.test(name))).toEqual([]);
  expect((await see({ context: 'vendor/lib', dockerfile: '../../Dockerfile' })).files).toMatchObject({
    'lib.txt': 'recorded',
  });
});

test('a submodule that is not checked out is refused, unless nothing of it is wanted', async () => {
  const library = join(base, 'library');
  mkdirSync(library);
  gitIn(library, 'init', '--quiet');
  await write({ 'lib.txt': 'recorded' }, library);
  commit(library);
  await write({ 'app/Dockerfile': 'FROM x' });
  git('submodule', '--quiet', 'add', library, 'lib');
  commit();
  const root = join(base, 'clone');
  execFileSync('git', ['clone', '--quiet', repo, root]);
  const dockerfile = 'app/Dockerfile';
  await expect(see({ root, dockerfile })).rejects.toThrow('the submodule lib is not checked out');
  await expect(see({ root, dockerfile, source: 'folder' })).rejects.toThrow('the submodule lib is not checked out');
  expect((await see({ root, context: 'app' })).files).toEqual({ Dockerfile: 'FROM x' });
});

test('another worktree, with no branch, in a part of the files, is its own commit', async () => {
  await write({ Dockerfile: 'FROM x', 'app/a.txt': 'one' });
  const first = commit();
  await write({ 'app/a.txt': 'two' });
  commit();
  const root = join(base, 'worktree');
  git('worktree', 'add', '--quiet', '--detach', root, first);
  gitIn(root, 'sparse-checkout', 'set', 'app');
  const tree = await readGitTree(root);
  expect(tree).toEqual({ commit: first, changes: [] });
  expect((await see({ root, source: { commit: first } })).files).toEqual({ Dockerfile: 'FROM x', 'app/a.txt': 'one' });
});

test.each(['no repository', 'no commit'])(
  'a folder with %s is built as it is, without state and what it ignores',
  async (kind) => {
    const folder = kind === 'no commit' ? repo : join(base, 'folder');
    await write({ ...secrets, Dockerfile: 'FROM x', 'src/a.txt': 'a', '.gitignore': 'secrets/\n.env\n' }, folder);
    expect(await readGitTree(folder)).toEqual({ changes: [] });
    const { files } = await see({ root: folder, source: 'folder' });
    expect(files).toEqual({ Dockerfile: 'FROM x', 'src/a.txt': 'a', '.gitignore': 'secrets/\n.env\n' });
    expect(existsSync(join(folder, '.git'))).toBe(kind === 'no commit');
  },
);

test('a repository that git cannot read, or whose branch alone is empty, is not taken for one without commits', async () => {
  await write({ Dockerfile: 'FROM x' });
  commit();
  git('checkout', '--quiet', '--orphan', 'empty');
  await expect(readGitTree(repo)).rejects.toThrow(`${repo} has no git commit`);
  rmSync(join(repo, '.git/HEAD'));
  await expect(readGitTree(repo)).rejects.toThrow(`${repo} has no git commit`);
});

test('a user’s hooks do not run, and neither index nor folder of the repository changes', async () => {
  await write({ Dockerfile: 'FROM x' });
  commit();
  await write({ '.git/hooks/post-index-change': '#!/bin/sh\ntouch "$0.ran"\n' });
  chmodSync(join(repo, '.git/hooks/post-index-change'), 0o755);
  const before = readFileSync(join(repo, '.git/index'));
  await see({});
  expect(existsSync(join(repo, '.git/hooks/post-index-change.ran'))).toBe(false);
  expect(readFileSync(join(repo, '.git/index')).equals(before)).toBe(true);
  expect(readdirSync(repo).sort()).toEqual(['.git', 'Dockerfile']);
});

test('the folder of a build is removed, also when the build fails or is stopped', async () => {
  await write({ Dockerfile: 'FROM x' });
  const source = { commit: commit() };
  const build = { context: '.', dockerfile: 'Dockerfile' };
  let made = '';
  const failing = withBuildContext({ root: repo, source, build }, async ({ context }) => {
    made = context;
    expect(existsSync(context)).toBe(true);
    throw new Error('the build failed');
  });
  await expect(failing).rejects.toThrow('the build failed');
  expect([made !== '', existsSync(dirname(made))]).toEqual([true, false]);
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(withBuildContext({ root: repo, source, build, signal }, async () => 'built')).rejects.toThrow('stopped');
});

test('a process that ends at once in the middle of a build leaves nothing', () => {
  const module = join(import.meta.dirname, '../../../scripts/tools/temporary-folder.ts');
  const program = `import { withTemporaryFolder } from ${JSON.stringify(module)};
    await withTemporaryFolder('lockage-gone-', async (folder) => { console.log(folder); process.exit(130); });`;
  const bundling = { stdin: { contents: program, resolveDir: base }, bundle: true, write: false } as const;
  const { outputFiles } = buildSync({ ...bundling, platform: 'node', format: 'esm', target: 'node20' });
  const argv = ['--input-type=module', '--eval', outputFiles[0]?.text ?? ''];
  let folder = '';
  try {
    execFileSync(process.execPath, argv, { encoding: 'utf8' });
  } catch (error) {
    folder = (error as { stdout: string }).stdout.trim();
  }
  expect([/lockage-gone-/.test(folder), existsSync(folder)]).toEqual([true, false]);
});
