import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { identity, identityFile } from '../../../infra/machines/keys.ts';

test('machines that are made at the same time get the one key that logs in', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'keys-'));
  try {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => identity(folder, 'prod')));
    const kept = await readFile(`${identityFile(folder, 'prod')}.pub`, 'utf8');
    expect(pairs.map(({ publicKey }) => publicKey)).toEqual(Array.from({ length: 5 }, () => kept));
    expect(await readdir(path.join(folder, 'prod'))).toEqual(['id_ed25519', 'id_ed25519.pub']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
