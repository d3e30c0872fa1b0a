import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isDraftOf, writeAtomic } from '../../../infra/system/atomic-file.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-atomic-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (path: string) => statSync(path).mode & 0o777;

test('a file is for its owner alone, and so is the folder that was made for it', async () => {
  const file = join(folder, 'state', 'known_hosts');
  await writeAtomic(file, 'text');
  expect([readFileSync(file, 'utf8'), modeOf(file), modeOf(join(folder, 'state'))]).toEqual(['text', 0o600, 0o700]);
});

test('the mode that is asked for holds, whatever the umask and the mode before', async () => {
  const file = join(folder, 'prod.yaml');
  writeFileSync(file, 'old', { mode: 0o600 });
  const before = process.umask(0o077);
  await writeAtomic(file, 'new', { mode: 0o664 }).finally(() => process.umask(before));
  expect([readFileSync(file, 'utf8'), modeOf(file)]).toEqual(['new', 0o664]);
});

test('a reader never sees half of it, and the last of several writers has it whole', async () => {
  const file = join(folder, 'file');
  const texts = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(2 ** 20));
  await writeAtomic(file, texts[0] ?? '');
  const written = new AbortController();
  const seen = new Set<string>();
  const reader = (async () => {
    while (!written.signal.aborted) seen.add(await readFile(file, 'utf8'));
  })();
  await Promise.all(texts.map((text) => writeAtomic(file, text)));
  written.abort();
  await reader;
  expect([...seen].every((text) => texts.includes(text))).toBe(true);
  expect(texts).toContain(readFileSync(file, 'utf8'));
  expect(readdirSync(folder)).toEqual(['file']);
});

test('a write that fails leaves what was there, and no draft', async () => {
  const file = join(folder, 'taken');
  await mkdir(join(file, 'by-a-folder'), { recursive: true });
  await expect(writeAtomic(file, 'text')).rejects.toThrow();
  expect([readdirSync(folder), readdirSync(file)]).toEqual([['taken'], ['by-a-folder']]);
});

test.each([
  ['machine.json.draft', true],
  ['machine.json.5b3c.draft', true],
  ['machine.json', false],
  ['other.json.5b3c.draft', false],
])('%s is a draft of machine.json: %s', (name, expected) => {
  expect(isDraftOf('machine.json', name)).toBe(expected);
});
