import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LocalWorkspace, Stack, type ProjectSettings } from '@pulumi/pulumi/automation/index.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { pulumiEnvironment } from '../../infra/pulumi/cli.ts';
import { requirePulumi } from '../../infra/pulumi/find-pulumi.ts';
import { readStack } from '../../infra/pulumi/state.ts';
import { recordedProgram } from '../../scripts/pulumi/recorded-program.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { asStranger, otherAnswers } from '../support/stranger-fixture.ts';

// The Pulumi CLI and the provider as a plugin are those that a plain `pulumi up` starts; the program is the one that
// Pulumi.yaml names, run by this process, as Pulumi's own host for Node.js programs comes with the official CLI only.
describe.runIf(labsWork)('a plain pulumi run', () => {
  let project: TestProject;

  beforeAll(async () => {
    vi.stubEnv('PATH', `${dirname((await requirePulumi()).path)}:${process.env['PATH']}`);
    project = await TestProject.open({ app: 'small-app', environments: { prod: { hosts: 2, reach: 'unix' } } });
    await project.publish({ '1.0.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => {
    vi.unstubAllEnvs();
    await project?.remove();
  });

  async function plainStack(): Promise<Stack> {
    const state = join(project.folder, '.lockage');
    const passphrase = (await readFile(join(state, 'passphrase'), 'utf8')).trimEnd();
    const settings = { backend: `file://${join(state, 'state')}`, passphrase, folder: join(project.folder, 'plain') };
    await mkdir(settings.folder, { recursive: true });
    const salt = (await readStack(settings, 'trial', 'prod'))?.salt;
    const plugins = { providers: [{ name: 'lockage', path: resolve(import.meta.dirname, '../../dist/plugin') }] };
    const workspace = await LocalWorkspace.create({
      workDir: settings.folder,
      program: () => recordedProgram('prod', project.folder),
      // The SDK's type does not know `plugins`, the CLI does.
      projectSettings: { name: 'trial', runtime: 'nodejs', plugins } as ProjectSettings,
      stackSettings: { prod: { encryptionSalt: salt ?? '' } },
      envVars: pulumiEnvironment(settings),
    });
    return Stack.select('prod', workspace);
  }

  test('of what was promoted finds nothing to change, and changes nothing', async () => {
    const before = await project.snapshot('prod');
    const stack = await plainStack();
    const { changeSummary } = await stack.preview();
    expect(Object.keys(changeSummary)).toEqual(['same']);
    const { summary } = await stack.up();
    expect(Object.keys(summary.resourceChanges ?? {})).toEqual(['same']);
    expect(await project.snapshot('prod')).toEqual(before);
    expect((await project.promote('1.0.0', 'prod')).json.outcome).toBe('unchanged');
  });

  test('is refused where it would bring a change in past the gates', async () => {
    const before = await project.snapshot('prod');
    await project.configure({ env: { GREETING: 'good day' } });
    const stack = await plainStack();
    await expect(stack.up()).rejects.toThrow('the configuration of prod has changed since revision 1');
    expect(await project.snapshot('prod')).toEqual(before);
  });

  test('has a plugin that answers to who started it, and to nobody else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lockage-plugin-'));
    const plugin = spawn(resolve(import.meta.dirname, '../../dist/plugin/pulumi-resource-lockage'), []);
    try {
      const [line] = (await once(plugin.stdout, 'data')) as [Buffer];
      const servers = { provider: `127.0.0.1:${line.toString().trim()}`, program: 'unix:/nowhere' };
      for (const user of ['same', 'nobody'] as const) {
        const { provider } = await asStranger(folder, servers, user);
        expect(otherAnswers(provider, /^PERMISSION_DENIED /)).toEqual([]);
      }
    } finally {
      plugin.kill();
      await rm(folder, { recursive: true });
    }
  });

  test('that was killed keeps the environment until its lock is lifted as the refusal says', async () => {
    const { pid } = spawnSync('true');
    const lock = { pid, username: userInfo().username, hostname: hostname(), timestamp: new Date().toISOString() };
    const folder = join(project.folder, '.lockage/state/.pulumi/locks/organization/trial/prod');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${randomUUID()}.json`), JSON.stringify(lock));
    const before = await project.snapshot('prod');
    const refused = await project.run('destroy', 'prod', '--volumes', '--yes', '--json');
    expect([refused.code, refused.json?.error.message], refused.stderr).toEqual([
      75,
      expect.stringContaining(`(process ${pid})`),
    ]);
    expect(refused.json?.error.hint).toContain('`pulumi cancel --stack prod`');
    expect(await project.snapshot('prod')).toEqual(before);
    await (await plainStack()).cancel();
    await project.succeed('destroy', 'prod', '--volumes');
    for (const { containers } of Object.values(await project.snapshot('prod'))) expect(containers).toEqual([]);
  });
});
