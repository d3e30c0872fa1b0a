import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { withLock } from '../../../scripts/setup/lock.mjs';

const folder = mkdtempSync(join(tmpdir(), 'lockage-lock-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('two at once work one after the other, and the second is told that it waits', async () => {
  const path = join(folder, 'busy');
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} starts`);
    await sleep(100);
    seen.push(`${name} ends`);
  };
  await Promise.all([
    withLock(path, work('first')),
    sleep(20).then(() => withLock(path, work('second'), () => seen.push('second waits'))),
  ]);
  expect(seen).toEqual(['first starts', 'second waits', 'first ends', 'second starts', 'second ends']);
});

test('a lock whose holder went silent is taken over', async () => {
  const path = join(folder, 'left');
  writeFileSync(path, '1\n');
  utimesSync(path, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
  expect(await withLock(path, async () => 'done')).toBe('done');
});

test('work that fails gives the lock back', async () => {
  const path = join(folder, 'failing');
  await expect(withLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await withLock(path, async () => 'done')).toBe('done');
  expect(readdirSync(folder)).toEqual([]);
});
