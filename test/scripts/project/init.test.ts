import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { init } from '../../../scripts/project/init.ts';
import { loadProject } from '../../../scripts/project/load.ts';

let cwd: string;
beforeEach(async () => {
  cwd = path.join(await mkdtemp(path.join(os.tmpdir(), 'lockage-init-')), 'My Shop_2');
  await mkdir(cwd);
});
afterEach(() => rm(path.dirname(cwd), { recursive: true }));

const written = ['lockage.yaml', 'environments/dev.yaml', 'environments/prod.yaml', 'Pulumi.yaml', '.gitignore'];
const text = (file: string) => readFile(path.join(cwd, file), 'utf8');

test('writes a configuration that loads', async () => {
  expect(await init({ cwd, app: 'shop' })).toEqual(written);
  const project = await loadProject(cwd);
  expect(project).toMatchObject({
    app: 'shop',
    repository: expect.stringMatching(/^embedded\.lockage\.internal\/shop-/),
  });
  expect(project.environments.map(({ name, after }) => [name, after])).toEqual([
    ['dev', []],
    ['prod', ['dev']],
  ]);
  expect(project.environments[0]?.roles[0]?.route).toEqual({ publish: 8080, port: 8080 });
  expect(await text('Pulumi.yaml')).toContain('name: shop\n');
  expect(await text('.gitignore')).toBe('.lockage/\n');
});

test('what is commented out loads as well', async () => {
  await init({ cwd, app: 'shop' });
  const lockage = (await text('lockage.yaml')).replace(
    /^( *)# (?= *(?:[\w]+:|-))(?!yaml-language|Where|For|In order|Registries)/gm,
    '$1',
  );
  const uncommented = lockage.replace('- { name: load-test, after: [dev] }', '# a list item');
  await writeFile(path.join(cwd, 'lockage.yaml'), uncommented);
  const [dev] = (await loadProject(cwd)).environments;
  expect(dev?.roles.map(({ name }) => name)).toEqual(['web', 'worker']);
  expect(dev?.accessories.map(({ name }) => name)).toEqual(['db']);
  expect(dev?.migration?.secrets).toEqual(['DB_PASSWORD']);
});

test('takes the Docker Engine that is used here', async () => {
  await init({ cwd, engine: 'unix:///home/anna/.docker/run/docker.sock' });
  const [dev] = (await loadProject(cwd)).environments;
  expect(dev?.hosts).toMatchObject([{ endpoint: { kind: 'unix', socket: '/home/anna/.docker/run/docker.sock' } }]);
});

test('takes the name from the folder', async () => {
  await init({ cwd });
  expect((await loadProject(cwd)).app).toBe('my-shop-2');
});

test.each(['123', '007', '1e5', 'true', 'null', 'off'])('in a folder called %s loads, too', async (name) => {
  cwd = path.join(path.dirname(cwd), name);
  await mkdir(cwd);
  await init({ cwd });
  expect((await loadProject(cwd)).app).toBe(name);
  expect(parse(await text('Pulumi.yaml')).name).toBe(name);
});

test('takes the port from the last stage of the Dockerfile', async () => {
  await writeFile(
    path.join(cwd, 'Dockerfile'),
    'FROM a AS build\nEXPOSE 1111\nFROM b\nexpose 53/udp 3000/tcp\nEXPOSE 9090\n',
  );
  await init({ cwd });
  expect((await loadProject(cwd)).environments[0]?.roles[0]?.route?.port).toBe(3000);
  expect(await text('lockage.yaml')).toContain('EXPOSE in the Dockerfile');
});

test.each(['EXPOSE $PORT', 'EXPOSE 99999', '# EXPOSE 3000', ''])('keeps 8080 for %j', async (line) => {
  await writeFile(path.join(cwd, 'Dockerfile'), `FROM a\n${line}\n`);
  await init({ cwd });
  expect((await loadProject(cwd)).environments[0]?.roles[0]?.route?.port).toBe(8080);
});

test('overwrites nothing', async () => {
  await mkdir(path.join(cwd, 'environments'));
  await writeFile(path.join(cwd, 'environments/prod.yaml'), 'mine');
  await writeFile(path.join(cwd, 'Pulumi.yaml'), 'mine');
  await expect(init({ cwd })).rejects.toMatchObject({
    message: 'nothing was written: there are files in the way',
    details: ['environments/prod.yaml', 'Pulumi.yaml'],
    name: 'LockageError',
  });
  expect(await text('environments/prod.yaml')).toBe('mine');
  await expect(text('lockage.yaml')).rejects.toThrow('ENOENT');
});

test('does not write through a link that leads nowhere, and leaves nothing half-done', async () => {
  await mkdir(path.join(cwd, 'environments'));
  await symlink('/nowhere/prod.yaml', path.join(cwd, 'environments/prod.yaml'));
  await expect(init({ cwd })).rejects.toMatchObject({ details: ['environments/prod.yaml'] });
  await expect(text('lockage.yaml')).rejects.toThrow('ENOENT');
});

test('replaces files if forced', async () => {
  await writeFile(path.join(cwd, 'lockage.yaml'), 'mine');
  await init({ cwd, app: 'shop', force: true });
  expect((await loadProject(cwd)).app).toBe('shop');
});

test('keeps .gitignore and adds to it once', async () => {
  await writeFile(path.join(cwd, '.gitignore'), 'node_modules');
  await init({ cwd });
  expect(await text('.gitignore')).toBe('node_modules\n.lockage/\n');
  expect(await init({ cwd, force: true })).not.toContain('.gitignore');
});

test.each([
  ['My Shop', 'For example, run `lockage init --app my-shop`.'],
  ['-', 'For example, run `lockage init --app shop`.'],
  ['../x', 'For example, run `lockage init --app x`.'],
])('refuses the name %j', async (app, hint) => {
  await expect(init({ cwd, app })).rejects.toMatchObject({ hint });
});
