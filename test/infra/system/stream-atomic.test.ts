import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { streamAtomic } from '../../../infra/system/atomic-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-stream-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a file that is streamed is its owner’s alone, and one of before stays until the next one is complete', async () => {
  const file = join(folder, 'db.sql');
  await writeFile(file, 'before', { mode: 0o644 });
  const cutOff = streamAtomic(file, async (out) => {
    out.write('half');
    throw new Error('the dump ended');
  });
  await expect(cutOff).rejects.toThrow('the dump ended');
  expect([await readFile(file, 'utf8'), await readdir(folder)]).toEqual(['before', ['db.sql']]);
  const bytes = await streamAtomic(file, async (out) => {
    for (let line = 0; line < 1000; line += 1) out.write('x'.repeat(1000));
    return 1_000_000;
  });
  const { size, mode } = await stat(file);
  expect([bytes, size, mode & 0o777, await readdir(folder)]).toEqual([1_000_000, 1_000_000, 0o600, ['db.sql']]);
});
