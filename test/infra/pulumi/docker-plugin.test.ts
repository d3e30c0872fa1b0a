import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findDockerPlugin, requireDockerPlugin } from '../../../infra/pulumi/find-pulumi.ts';
import { isFoundation } from '../../../infra/pulumi/stack-names.ts';
import { PulumiStacks } from '../../../infra/pulumi/stacks.ts';
import { toolVersions } from '../../../infra/system/tool-versions.ts';
import { NotStartedError } from '../../../pipelines/errors.ts';

const { dockerPlugin } = toolVersions;
let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'lockage-plugin-'));
  vi.stubEnv('LOCKAGE_CACHE', cache);
  vi.stubEnv('PATH', join(cache, 'on-path'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

const program = async (folder: string) => {
  await mkdir(join(cache, folder), { recursive: true });
  await writeFile(join(cache, folder, 'pulumi-resource-docker'), '');
  await chmod(join(cache, folder, 'pulumi-resource-docker'), 0o755);
};
const plugins = 'pulumi-home/plugins';
const whole = `${plugins}/resource-docker-v${dockerPlugin}`;

test.each([
  ['in our own folder', [whole], [], true],
  ['on PATH', ['on-path'], [], true],
  ['of another version', [`${plugins}/resource-docker-v4.0.0`], [], false],
  ['that is installed only in part', [whole], [`${whole}.partial`], false],
  ['of the user, where Pulumi itself would look', ['.pulumi/plugins/resource-docker-v5.2.0'], [], false],
])('a Docker plugin %s is found, or the refusal says how to get it', async (_where, folders, files, isFound) => {
  for (const folder of folders) await program(folder);
  for (const file of files) await writeFile(join(cache, file), '');
  expect(findDockerPlugin() !== undefined).toBe(isFound);
  if (isFound) return requireDockerPlugin();
  expect(requireDockerPlugin).toThrow(
    expect.objectContaining({
      message: `Pulumi's Docker plugin ${dockerPlugin} is not in ${cache}/${plugins}`,
      hint: expect.stringContaining(
        `PULUMI_HOME=${cache}/pulumi-home pulumi plugin install resource docker ${dockerPlugin}`,
      ),
    }),
  );
});

test('without it nothing of a foundation is begun', async () => {
  const settings = { backend: `file://${cache}/state`, passphrase: 'x', folder: join(cache, 'pulumi') };
  const stacks = new PulumiStacks(settings, 'shop');
  const context = {} as never;
  await expect(stacks.up('dev-foundation', async () => undefined, context, { message: '' })).rejects.toThrow(
    NotStartedError,
  );
  await expect(stacks.destroy('dev-foundation', context)).rejects.toThrow(NotStartedError);
});

test.each([
  ['dev-foundation', true],
  ['dev', false],
  ['dev-machines', false],
  ['releases', false],
])('the stack %s is a foundation: %s', (name, expected) => expect(isFoundation(name)).toBe(expected));
