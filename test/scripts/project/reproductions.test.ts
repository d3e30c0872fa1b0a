import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { writeBundle } from '../../../infra/registry/bundle/write-bundle.ts';
import { InterruptedError, LockageError, LockedError } from '../../../pipelines/errors.ts';
import { imageByDigest } from '../../../pipelines/model/release.ts';
import type { Reproduction } from '../../../pipelines/model/reproduction.ts';
import { reproduceCommand } from '../../../scripts/cli/commands/reproduce.ts';
import { openContext } from '../../../scripts/cli/open-context.ts';
import { withReproductionLock } from '../../../scripts/project/reproduction-lock.ts';
import {
  findReproduction,
  listReproductions,
  projectOf,
  projectWithout,
  readSecrets,
  removeReproduction,
  reproductionFolder,
  secretFile,
  writeReproduction,
  writeSecret,
} from '../../../scripts/project/reproductions.ts';
import { recordedWith, testImage } from '../../infra/registry/values.ts';
import { host } from '../../pipelines/model/values.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'lockage-reproductions-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cwd, { recursive: true, force: true });
});

const made = (name: string): Reproduction => ({
  ...{ name, of: recordedWith(testImage('a'), testImage('b')), host: host('here') },
  ...{ ports: { 80: 8080 }, counts: {}, secrets: { TOKEN: 'generated' as const } },
});
const write = (name: string) => writeReproduction({ folder: reproductionFolder(cwd, name), reproduction: made(name) });
const names = async () => (await listReproductions(cwd)).map(({ reproduction }) => reproduction.name);

test('a reproduction is found as it was written, by its name', async () => {
  expect([await names(), await findReproduction(cwd, 'prod-here')]).toEqual([[], undefined]);
  await write('prod-here');
  await write('before');
  const found = await findReproduction(cwd, 'prod-here');
  expect(found?.reproduction).toEqual(JSON.parse(JSON.stringify(made('prod-here'))));
  expect(await names()).toEqual(['before', 'prod-here']);
  await removeReproduction(found?.folder ?? '');
  expect([await names(), existsSync(found?.folder ?? '')]).toEqual([['before'], false]);
});

test('no name leads to another folder', async () => {
  await write('prod-here');
  for (const name of ['../reproductions/prod-here', 'prod-here/../prod-here', '1.4.0', '']) {
    expect(await findReproduction(cwd, name)).toBeUndefined();
  }
});

test('a record that is damaged, or of a later format, is refused by its file', async () => {
  await write('prod-here');
  const file = join(reproductionFolder(cwd, 'prod-here'), 'reproduction.json');
  await writeFile(file, '{');
  await expect(findReproduction(cwd, 'prod-here')).rejects.toThrow(`${file} is damaged: it is no JSON`);
  await writeFile(file, JSON.stringify({ format: 9, host: { name: 'here', url: 'unix:///x', address: 'x' } }));
  await expect(findReproduction(cwd, 'prod-here')).rejects.toThrow('has format 9, and 1 is known here');
});

test.each([
  ['nothing', '', 'it is no JSON'],
  ['half of it', '{"format":1,"name":"prod-he', 'it is no JSON'],
  ['null', 'null', 'it names no release'],
  ['a list', '[]', 'it names no release'],
  ['no release', '{"format":1,"host":{"name":"here","url":"unix:///x"}}', 'it names no release'],
  ['no host', '{"format":1,"of":{"release":{"version":"1.0.0"}}}', 'it names no host'],
])('a record that has %s is told by its file, and hides no other one', async (_what, text, why) => {
  await write('before');
  await write('prod-here');
  const file = join(reproductionFolder(cwd, 'prod-here'), 'reproduction.json');
  await writeFile(file, text);
  const told: string[] = [];
  const found = await listReproductions(cwd, ({ message }) => told.push(message));
  expect(found.map(({ reproduction }) => reproduction.name)).toEqual(['before']);
  expect(told).toEqual([`${file} is damaged: ${why}`]);
  await expect(listReproductions(cwd)).rejects.toThrow(why);
});

test('its secrets are files of the owner alone, and are read as they were written', async () => {
  const folder = reproductionFolder(cwd, 'prod-here');
  await writeSecret(folder, 'TOKEN', 'two\nlines');
  expect([...(await readSecrets(folder, ['OTHER', 'TOKEN']))]).toEqual([['TOKEN', 'two\nlines']]);
  expect(statSync(secretFile(folder, 'TOKEN')).mode & 0o777).toBe(0o600);
});

test('it is a project of its own: state and passphrase are in its folder, whatever variables say', async () => {
  await write('prod-here');
  const folder = reproductionFolder(cwd, 'prod-here');
  vi.stubEnv('PULUMI_CONFIG_PASSPHRASE', 'of another state');
  const context = await openContext({ cwd, about: 'prod-here', json: true }, new AbortController().signal);
  expect(context.project.environments.map(({ name }) => name)).toEqual(['prod-here']);
  expect(context.project.backend).toBe(`file://${folder}/state`);
  expect(readdirSync(folder).sort()).toEqual(['passphrase', 'reproduction.json', 'state']);
  expect(readdirSync(join(cwd, '.lockage')).sort()).toEqual(['.gitignore', 'reproductions']);
  // What the original released can be promoted to it.
  expect((await context.records.releases()).map(({ version }) => version)).toEqual(['1.4.0']);
  await context.connections.close();
});

test('a folder without a configuration has its reproductions, and a project none of them', async () => {
  expect(await projectWithout(cwd)).toBeUndefined();
  await write('prod-here');
  expect(await projectWithout(cwd)).toMatchObject({ app: 'shop', environments: [] });
  const context = await openContext({ cwd, json: true }, new AbortController().signal);
  expect(context.project.environments).toEqual([]);
  await context.connections.close();
  await mkdir(join(cwd, 'environments'));
  await writeFile(join(cwd, 'lockage.yaml'), '{}\n');
  expect(await projectWithout(cwd)).toBeUndefined();
});

test('the environment of a reproduction is made from its record alone', () => {
  const found = { folder: '/srv/shop/.lockage/reproductions/prod-here', reproduction: made('prod-here') };
  const { environments, repository, edgeImage } = projectOf(found);
  expect(environments.map(({ roles }) => roles.map(({ route }) => route))).toEqual([[{ publish: 8080, port: 8080 }]]);
  expect([repository, edgeImage]).toEqual(['registry.example.com/shop', found.reproduction.of.edge.image]);
});

test('one command at a time is at work on a name', async () => {
  const seen = await withReproductionLock(cwd, 'pr-1', async () => {
    await expect(withReproductionLock(cwd, 'pr-1', async () => 'both')).rejects.toThrow(LockedError);
    return withReproductionLock(cwd, 'pr-2', async () => 'another');
  });
  expect(seen).toBe('another');
  const refusal = new LockageError('not this one');
  await expect(withReproductionLock(cwd, 'pr-1', () => Promise.reject(refusal))).rejects.toBe(refusal);
  expect(await withReproductionLock(cwd, 'pr-1', async () => 'after it')).toBe('after it');
});

test('who waits for another command gets its turn, or waits no longer when interrupted', async () => {
  const over = new AbortController();
  const order: string[] = [];
  const note = async (text: string) => void order.push(text);
  const wait = 60_000;
  const second = await withReproductionLock(cwd, 'pr-1', async () => {
    const stopped = withReproductionLock(cwd, 'pr-1', () => note('stopped'), { wait, signal: over.signal });
    const waiting = withReproductionLock(cwd, 'pr-1', () => note('second'), { wait });
    over.abort();
    await expect(stopped).rejects.toThrow(InterruptedError);
    await sleep(700);
    await note('first');
    return { waiting };
  });
  await second.waiting;
  expect(order).toEqual(['first', 'second']);
});

test('a reproduction that another command is making is refused before anything of it is read', async () => {
  const [own, edge] = [testImage('a'), testImage('b')];
  const recorded = recordedWith(own, edge);
  const bundle = join(cwd, 'prod.lockage');
  const images = [own.toBundle(imageByDigest(recorded.release)), edge.toBundle(recorded.edge.image)];
  await writeBundle(bundle, recorded, images, new AbortController().signal);
  vi.spyOn(process, 'cwd').mockReturnValue(cwd);
  try {
    const again = () => reproduceCommand(undefined, { from: bundle, yes: true }, new AbortController().signal);
    await withReproductionLock(cwd, `${recorded.environment}-here`, () => expect(again()).rejects.toThrow(LockedError));
  } finally {
    vi.restoreAllMocks();
  }
  expect(await names()).toEqual([]);
});
