import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readPassphrase } from '../../../scripts/project/passphrase.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-passphrase-'));
});
afterEach(() => rm(folder, { recursive: true }));

const backend = () => `file://${folder}/state`;
const file = () => join(folder, 'passphrase');
const readWith = (variables: Record<string, string> = {}) => readPassphrase(folder, backend(), variables);

describe('the passphrase of a state', () => {
  test('is made once, for its owner alone, and nothing is left beside it', async () => {
    const made = await readWith();
    expect(made).toMatch(/^[\w-]{32}$/);
    expect((await stat(file())).mode & 0o777).toBe(0o600);
    expect(await readWith()).toBe(made);
    expect((await readdir(folder)).toSorted()).toEqual(['passphrase', 'state']);
  });

  test('is one for commands that are started at once', async () => {
    const found = await Promise.all(Array.from({ length: 20 }, () => readWith()));
    expect(new Set(found)).toEqual(new Set([(await readFile(file(), 'utf8')).trimEnd()]));
  });

  test.each([
    ['a variable', { PULUMI_CONFIG_PASSPHRASE: 'given', PULUMI_CONFIG_PASSPHRASE_FILE: '/nowhere' }, 'given'],
    ['a variable without a value, which is none', { PULUMI_CONFIG_PASSPHRASE: '' }, 'kept'],
    ['the file of a variable without a value, which is none', { PULUMI_CONFIG_PASSPHRASE_FILE: '' }, 'kept'],
  ])('comes from %s', async (_what, variables, expected) => {
    await writeFile(file(), 'kept\n');
    expect(await readWith(variables)).toBe(expected);
  });

  test.each([{}, { PULUMI_CONFIG_PASSPHRASE_FILE: '' }])(
    'is made where nothing is there yet: %j',
    async (variables) => {
      expect(await readWith(variables)).toMatch(/^[\w-]{32}$/);
    },
  );

  test.each(['', '\n', '\r\n'])('is refused where it is empty: %j', async (text) => {
    await writeFile(file(), text);
    const problem = `the passphrase in ${file()} is empty`;
    await expect(readWith()).rejects.toMatchObject({
      message: problem,
      hint: expect.stringContaining('Write it there'),
    });
    const named = { PULUMI_CONFIG_PASSPHRASE_FILE: file() };
    await expect(readWith(named)).rejects.toThrow(problem);
  });

  test('is never made anew for a state that is there', async () => {
    await mkdir(join(folder, 'state/.pulumi'), { recursive: true });
    await expect(readWith({ PULUMI_CONFIG_PASSPHRASE_FILE: '' })).rejects.toThrow(
      'the passphrase of the state is not here',
    );
    await expect(readPassphrase(folder, 's3://state', {})).rejects.toThrow('the passphrase of the state is not here');
  });

  test('in a file that is not there names the variable', async () => {
    await expect(readWith({ PULUMI_CONFIG_PASSPHRASE_FILE: '/nowhere' })).rejects.toMatchObject({
      message: expect.stringContaining('/nowhere'),
      hint: expect.stringContaining('PULUMI_CONFIG_PASSPHRASE_FILE'),
    });
  });
});
