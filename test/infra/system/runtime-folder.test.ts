import { chmod, chown, lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runtimeFolder } from '../../../infra/system/runtime-folder.ts';

const uid = process.getuid?.() ?? 0;
const fallback = `/tmp/lockage-${uid}`;
let base: string;

beforeEach(async () => {
  base = await mkdtemp('/tmp/lr-');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(base, { recursive: true, force: true });
});

test('sockets are in the folder of this login, where nobody else comes in', async () => {
  vi.stubEnv('XDG_RUNTIME_DIR', base);
  const folder = await runtimeFolder();
  expect([folder, (await lstat(folder)).mode & 0o777]).toEqual([join(base, 'lockage'), 0o700]);
  expect(await runtimeFolder()).toBe(folder);
});

test.each([
  ['is not there', async () => rm(base, { recursive: true })],
  ['has one of Lockage that is open to others', async () => openFolder()],
  ...(uid === 0
    ? ([
        ['is another user’s', async () => chown(base, 4343, 4343)],
        ['has one that another user made', async () => otherFolder()],
      ] as const)
    : []),
] as const)('a folder of the login that %s is not used', async (_how, make) => {
  vi.stubEnv('XDG_RUNTIME_DIR', base);
  await make();
  expect(await runtimeFolder()).toBe(fallback);
});

async function openFolder(): Promise<void> {
  await mkdir(join(base, 'lockage'));
  await chmod(join(base, 'lockage'), 0o755);
}

async function otherFolder(): Promise<void> {
  await mkdir(join(base, 'lockage'), { mode: 0o700 });
  await chown(join(base, 'lockage'), 4343, 4343);
}
