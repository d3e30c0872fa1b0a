import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPassphrase } from '../../../scripts/project/passphrase.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockage-passphrase-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test.each([
  [{}],
  [{ PULUMI_CONFIG_PASSPHRASE: '' }],
  [{ PULUMI_CONFIG_PASSPHRASE_FILE: '' }],
  [{ PULUMI_CONFIG_PASSPHRASE: '', PULUMI_CONFIG_PASSPHRASE_FILE: '' }],
])('variables that are set to nothing, as in %j, name no passphrase: one is made, once', async (variables) => {
  const backend = pathToFileURL(join(folder, 'state')).href;
  const made = await readPassphrase(folder, backend, variables);
  expect(made).toMatch(/^[\w-]{32}$/);
  expect(await readPassphrase(folder, backend, variables)).toBe(made);
});
