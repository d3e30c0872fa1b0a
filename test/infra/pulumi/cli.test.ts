import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runPulumi } from '../../../infra/pulumi/cli.ts';
import { cachedPulumi } from '../../../infra/pulumi/find-pulumi.ts';
import { listStacks, readStack } from '../../../infra/pulumi/state.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockage-cli-'));
  vi.stubEnv('LOCKAGE_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const settings = () => ({ backend: 's3://state', passphrase: 'a passphrase', folder });

/** A Pulumi that does what a script says. */
function pulumiThat(script: string): void {
  mkdirSync(dirname(cachedPulumi()), { recursive: true });
  writeFileSync(cachedPulumi(), `#!/bin/sh\n${script}\n`);
  chmodSync(cachedPulumi(), 0o755);
}

test('a command on a state has a deadline, with all that it started', async () => {
  pulumiThat('sleep 60 & wait');
  for (const argv of [['stack', 'export'], ['stack', 'import'], ['stack', 'init', 'prod'], ['cancel']]) {
    const { code, stderr } = await runPulumi(settings(), argv, { deadline: 200 });
    expect([code, stderr]).toEqual([1, expect.stringContaining('did not end within 0.2 s: does the backend answer?')]);
  }
});

test('a command on hosts takes as long as it takes, and the end of its output is kept', async () => {
  pulumiThat('sleep 1; yes | head -c 20000000; echo done');
  const { code, stdout } = await runPulumi(settings(), ['up'], { deadline: 200 });
  expect([code, stdout.length, stdout.endsWith('done\n')]).toEqual([0, 4 * 2 ** 20, true]);
});

test('a state that does not arrive as a whole is an error, and not quoted', async () => {
  pulumiThat('echo hunter2');
  await expect(readStack(settings(), 'shop', 'prod')).rejects.toThrow("Pulumi's export of prod is not JSON");
});

test('a state is read as a whole, however long it is', async () => {
  const resources = `[${'{"urn":"u","type":"t"},'.repeat(400_000)}{"urn":"last","type":"t"}]`;
  writeFileSync(join(folder, 'state.json'), `{"deployment":{"resources":${resources}}}`);
  pulumiThat(`cat ${folder}/state.json`);
  expect((await readStack(settings(), 'shop', 'prod'))?.resources.at(-1)?.urn).toBe('last');
});

test.each(['nothing', "somebody's own Pulumi project"])(
  'a state elsewhere is that of this project in a new clone, with %s above it',
  async (above) => {
    if (above !== 'nothing') writeFileSync(join(folder, 'Pulumi.yaml'), 'name: infrastructure\nruntime: nodejs\n');
    const project = '[ -e Pulumi.yaml ] || cd ../../.. || exit; name=$(sed -n "s/^name: //p" Pulumi.yaml)';
    pulumiThat(`${project}; echo '{"deployment":{"resources":[{"urn":"'$name'","type":"t"}]}}'`);
    const fresh = () => ({ ...settings(), folder: mkdtempSync(join(folder, 'clone-')) + '/.lockage/pulumi' });
    expect((await readStack(fresh(), 'shop', 'prod'))?.resources).toMatchObject([{ urn: 'shop' }]);
    pulumiThat(`${project}; echo '[{"name":"'$name'"}]'`);
    expect(await listStacks(fresh(), 'shop')).toEqual(['shop']);
  },
);

test('the stacks of a project are listed, with and without their organization, and what is no list is an error', async () => {
  pulumiThat(`echo '[{"name":"prod"},{"name":"organization/shop/qa"},{"name":"organization/other/dev"}]'`);
  expect(await listStacks(settings(), 'shop')).toEqual(['prod', 'qa']);
  pulumiThat('echo warning');
  await expect(listStacks(settings(), 'shop')).rejects.toThrow('is not JSON');
  pulumiThat('exit 1');
  await expect(listStacks(settings(), 'shop')).rejects.toThrow('cannot be listed');
});

test('the stacks of a backend that is a folder are its files, and none where nothing was recorded', async () => {
  const backend = `file://${folder}`;
  expect(await listStacks({ ...settings(), backend }, 'shop')).toEqual([]);
  const stacks = join(folder, '.pulumi/stacks/shop');
  mkdirSync(stacks, { recursive: true });
  for (const name of ['prod.json', 'prod.json.bak']) writeFileSync(join(stacks, name), '{}');
  expect(await listStacks({ ...settings(), backend }, 'shop')).toEqual(['prod']);
});
