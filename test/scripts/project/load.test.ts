import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LockageError } from '../../../pipelines/errors.ts';
import { loadProject } from '../../../scripts/project/load.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'lockage-config-'));
});
afterEach(() => rm(root, { recursive: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text);
  }
}

async function refusal(cwd = root): Promise<LockageError> {
  const thrown: unknown = await loadProject(cwd).catch((error: unknown) => error);
  if (thrown instanceof LockageError) return thrown;
  throw thrown;
}

const working = {
  'lockage.yaml': 'app: shop\nrepository: localhost:5000/shop\nroles: { web: { port: 8080 } }\n',
  'environments/dev.yaml': 'targets: [unix:///var/run/docker.sock]\n',
};

test('finds lockage.yaml in the folder or above it', async () => {
  await write({ ...working, 'src/deep/file': '' });
  expect((await loadProject(root)).root).toBe(root);
  expect((await loadProject(path.join(root, 'src/deep'))).root).toBe(root);
  expect((await loadProject(path.join(root, 'src/deep'))).backend).toBe(`file://${root}/.lockage/state`);
});

test('looks for none above the top of a repository', async () => {
  await write({ ...working, 'other/.git/HEAD': '', 'other/src/file': '' });
  expect((await refusal(path.join(root, 'other/src'))).message).toContain('no lockage.yaml in');
});

test('believes none above the folder that others may have written', async () => {
  await write({ ...working, 'src/file': '' });
  await chmod(root, 0o777);
  const error = await refusal(path.join(root, 'src'));
  expect([error.message, error.details]).toEqual([
    `${root}/lockage.yaml may be somebody else’s`,
    ['others may write there'],
  ]);
  // Who works in the folder itself means it.
  expect((await loadProject(root)).root).toBe(root);
});

test.runIf(process.getuid?.() === 0)('believes none above the folder that belongs to somebody else', async () => {
  await write({ ...working, 'src/file': '' });
  await chown(path.join(root, 'lockage.yaml'), 65534, 65534);
  expect((await refusal(path.join(root, 'src'))).details).toEqual(['it belongs to user 65534, its folder to 0']);
  // A whole tree of somebody else's is one that was gone into on purpose.
  await chown(path.join(root, 'src'), 65534, 65534);
  expect((await loadProject(path.join(root, 'src'))).root).toBe(root);
});

test('says how to begin where there is none', async () => {
  const error = await refusal();
  expect(error.message).toBe(`no lockage.yaml in ${root} or a folder above it`);
  expect(error.hint).toBe('Run `lockage init` to write a first one.');
});

test('names one that ends in .yml, where there is none that does not', async () => {
  await write({ 'lockage.yml': 'app: shop', 'src/file': '' });
  const error = await refusal(path.join(root, 'src'));
  expect([error.message, error.details, error.hint]).toEqual([
    `no lockage.yaml in ${root}/src or a folder above it`,
    [`${root}/lockage.yml is called otherwise`],
    `Rename it: \`mv ${root}/lockage.yml ${root}/lockage.yaml\`.`,
  ]);
  await write({ ...working, 'src/lockage.yml': '' });
  expect((await loadProject(path.join(root, 'src'))).root).toBe(root);
});

test('reads only the environments’ own files', async () => {
  await write({
    ...working,
    'environments/README.md': '',
    'environments/.draft.yaml': '[',
    'environments/old/qa.yaml': '[',
  });
  expect((await loadProject(root)).environments.map(({ name }) => name)).toEqual(['dev']);
});

test('names files that end in .yml', async () => {
  await write({ ...working, 'environments/qa.yml': '' });
  expect((await refusal()).message).toBe('environment files end in .yaml: environments/qa.yml');
});

test('does not read what is too large', async () => {
  await write({ ...working, 'environments/dev.yaml': 'x'.repeat(2 ** 20 + 1) });
  expect((await refusal()).details).toEqual(['environments/dev.yaml:1  is larger than 1 MiB']);
});

test('a file in another encoding is a problem with its name', async () => {
  await write(working);
  await writeFile(path.join(root, 'environments/dev.yaml'), Buffer.from('env: { NAME: M\u00fcller }\n', 'latin1'));
  expect((await refusal()).details).toEqual(['environments/dev.yaml:1  is not UTF-8 text: save it in that encoding']);
});

test('a folder in place of a file', async () => {
  await write(working);
  await mkdir(path.join(root, 'environments/qa.yaml'));
  expect((await refusal()).message).toBe('cannot read environments/qa.yaml: EISDIR');
});

test('no environments at all', async () => {
  await write({ 'lockage.yaml': working['lockage.yaml'] });
  expect((await refusal()).details[0]).toContain('list the environments in order');
});
