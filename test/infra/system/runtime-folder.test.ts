import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runtimeFolder } from '../../../infra/system/runtime-folder.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'l-'));
  vi.stubEnv('HOME', home);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(home, { recursive: true });
});

test('sockets are in a folder of this user alone', async () => {
  vi.stubEnv('XDG_RUNTIME_DIR', home);
  const folder = await runtimeFolder();
  expect(folder).toBe(join(home, 'lockage'));
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test('a folder that others may enter is left alone, and another one is taken', async () => {
  vi.stubEnv('XDG_RUNTIME_DIR', home);
  await mkdir(join(home, 'lockage'));
  await chmod(join(home, 'lockage'), 0o777);
  expect(await runtimeFolder()).toBe(`/tmp/lockage-${process.getuid?.()}`);
});

test('whoever takes the folder in /tmp keeps nobody from reaching hosts', async () => {
  // This user is taken for another one, to whom the folder in /tmp does not belong.
  await runtimeFolder();
  const own = process.getuid?.() ?? 0;
  vi.stubEnv('XDG_RUNTIME_DIR', '');
  const taken = `/tmp/lockage-${own + 1}`;
  await mkdir(taken, { recursive: true });
  try {
    vi.spyOn(process, 'getuid').mockReturnValue(own + 1);
    // Nor does the one in the cache, here.
    await expect(runtimeFolder()).rejects.toThrow(`no folder for sockets is of this user alone: ${taken}, ${home}`);
  } finally {
    await rm(taken, { recursive: true });
  }
});
