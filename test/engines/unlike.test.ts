import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';
import { storyReleases } from '../support/story.ts';

const timeout = 240_000;

// Hosts as people have them who upgrade one after the other. Those whose containers have users of their own are known to start.
describe.runIf(labsWork)('the same promises hold', () => {
  let project: TestProject;

  beforeAll(async () => {
    project = await TestProject.open({
      app: 'small-app',
      environments: {
        dev: { hosts: 1, reach: 'unix' },
        upgraded: { hosts: 1, reach: 'ssh' },
        remapped: { hosts: 1, reach: 'unix', remapsUsers: true },
        'remapped-29': { hosts: 1, reach: 'unix', remapsUsers: true, engine: '29' },
      },
    });
    const health = { path: '/healthz', timeout: '10s' };
    const after = ['dev'];
    await project.configure({
      pipeline: ['dev', ...['upgraded', 'remapped', 'remapped-29'].map((name) => ({ name, after }))],
      roles: { web: { port: 8080, publish: 8000, health, stop: '2s', secrets: ['TOKEN'] } },
      secrets: { TOKEN: { env: 'TOKEN' } },
    });
    project.env['TOKEN'] = 'a token that nobody sees';
    await project.publish(storyReleases);
    for (const version of Object.keys(storyReleases)) await project.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => project?.remove(), timeout);

  test('the hosts are as they are meant to be', async () => {
    const facts = async (name: string) => {
      const { ServerVersion, SecurityOptions } = await project.engine(name).info();
      return [String(ServerVersion).split('.')[0], String(SecurityOptions).includes('name=userns')];
    };
    expect(await Promise.all(['upgraded-1', 'remapped-1', 'remapped-29-1'].map(facts))).toEqual([
      ['20', false],
      ['20', true],
      ['29', true],
    ]);
  });

  describe('under an environment whose engine is upgraded', () => {
    const name = 'upgraded';
    const status = async () => (await project.succeed('status', '--env', name)).json;
    const drift = () => project.run('drift', name, '--json');

    test('everything serves again by itself, as it is recorded', { timeout }, async () => {
      for (const version of ['1.0.0', '1.1.0']) await project.succeed('promote', version, '--to', name);
      const before = await project.containerIds(name);
      await project.lab.host('upgraded-1').stopDocker();
      await project.lab.host('upgraded-1').startDocker('29');
      await expect.poll(() => project.versions(name)).toEqual(['1.1.0']);
      expect(await project.containerIds(name)).toEqual(before);
      await expect.poll(status).toMatchObject({ version: '1.1.0', problems: [] });
      const { code, stdout } = await drift();
      expect(code, stdout).toBe(0);
    });

    test('its standby is there for a rollback, and releases come in as before', { timeout }, async () => {
      const { json } = await project.succeed('rollback', name);
      expect(json.trafficBack).toBeGreaterThan(0);
      expect(await project.versions(name)).toEqual(['1.0.0']);
      await project.succeed('resume', name);
      await project.succeed('promote', '1.1.0', '--to', name);
      expect(await project.versions(name)).toEqual(['1.1.0']);
      const { code, stdout } = await drift();
      expect(code, stdout).toBe(0);
    });
  });
});
