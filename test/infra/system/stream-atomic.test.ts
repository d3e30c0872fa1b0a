import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { streamAtomic, writeDraft } from '../../../infra/system/atomic-file.ts';
import { LockageError } from '../../../pipelines/errors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-stream-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const sound = async () => undefined;

test('a file that is streamed is its owner’s alone, and one of before stays until the next one is complete', async () => {
  const file = join(folder, 'db.sql');
  await writeFile(file, 'before', { mode: 0o644 });
  const cutOff = streamAtomic(
    file,
    async (out) => {
      out.write('half');
      throw new Error('the dump ended');
    },
    sound,
  );
  await expect(cutOff).rejects.toThrow('the dump ended');
  expect([await readFile(file, 'utf8'), await readdir(folder)]).toEqual(['before', ['db.sql']]);
  const bytes = await streamAtomic(
    file,
    async (out) => {
      for (let line = 0; line < 1000; line += 1) out.write('x'.repeat(1000));
      return 1_000_000;
    },
    sound,
  );
  const { size, mode } = await stat(file);
  expect([bytes, size, mode & 0o777, await readdir(folder)]).toEqual([1_000_000, 1_000_000, 0o600, ['db.sql']]);
});

test('a file that does not pass its check is none, and an earlier one stays', async () => {
  const file = join(folder, 'checked');
  const write = async (out: Writable) => void out.write('text');
  const seen: string[] = [];
  const check = async (draft: string) => void seen.push(await readFile(draft, 'utf8'));
  await streamAtomic(file, write, check);
  expect(seen).toEqual(['text']);
  await writeFile(file, 'earlier');
  const refused = streamAtomic(file, write, async () => Promise.reject(new Error('not sound')));
  await expect(refused).rejects.toThrow('not sound');
  expect([await readFile(file, 'utf8'), (await readdir(folder)).filter((name) => name.startsWith('checked.'))]).toEqual(
    ['earlier', []],
  );
});

test('a folder that is not there is named with what makes it', async () => {
  const file = join(folder, 'missing', 'db.sql');
  const said = { message: `there is no folder ${join(folder, 'missing')}`, hint: expect.stringContaining('mkdir -p') };
  await expect(streamAtomic(file, async (out) => void out.write('text'), sound)).rejects.toMatchObject(said);
  const content = async function* () {
    yield Buffer.from('text');
  };
  await expect(writeDraft(file, content())).rejects.toMatchObject(said);
  await expect(writeDraft(file, content())).rejects.toThrow(LockageError);
});
