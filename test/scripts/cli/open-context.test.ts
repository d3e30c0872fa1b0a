import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openContext } from '../../../scripts/cli/open-context.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'lockage-context-'));
  // A state that was made with a passphrase in a variable, as a unit of systemd finds it: without that variable.
  vi.stubEnv('PULUMI_CONFIG_PASSPHRASE', undefined);
  vi.stubEnv('PULUMI_CONFIG_PASSPHRASE_FILE', undefined);
  for (const folder of ['environments', '.lockage/state/.pulumi'])
    await mkdir(path.join(cwd, folder), { recursive: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cwd, { recursive: true });
});

async function project(backend: string): Promise<void> {
  const text = `app: shop\nrepository: localhost:5000/shop\nroles: { web: { port: 8080 } }\n${backend}`;
  await writeFile(path.join(cwd, 'lockage.yaml'), text);
  await writeFile(path.join(cwd, 'environments/prod.yaml'), 'targets: { kind: lxc }\n');
}

const open = (keyless: boolean) => openContext({ cwd, keyless, json: true }, new AbortController().signal);

test('what starts machines with their computer needs no passphrase where the state is a folder', async () => {
  await project('');
  const context = await open(true);
  expect(await context.machines.start('prod')).toEqual([]);
  await context.connections.close();
});

test.each<[string, string, boolean]>([
  ['changes something', '', false],
  ['reads a state elsewhere', 'backend: s3://states\n', true],
])('a command that %s says that the passphrase is not here', async (_which, backend, keyless) => {
  await project(backend);
  await expect(open(keyless)).rejects.toThrow('the passphrase of the state is not here');
});
