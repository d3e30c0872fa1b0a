import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LabHost } from '../../scripts/lab/lab.ts';
import { labsWork, setupTime, TestProject, type Snapshot } from '../support/pipeline-fixture.ts';
import { nothingIsLeft, promisesHold, storyReleases } from '../support/story.ts';

const timeout = 240_000;

// Hosts as people have them who upgrade one after the other, and hosts whose containers have users of their own.
describe.runIf(labsWork)('the same promises hold', () => {
  let project: TestProject;

  beforeAll(async () => {
    project = await TestProject.open({
      app: 'small-app',
      environments: {
        dev: { hosts: 1, reach: 'unix' },
        mixed: { hosts: 1, reach: 'unix' },
        newer: { hosts: 1, reach: 'ssh', engine: '29' },
        remapped: { hosts: 1, reach: 'unix', remapsUsers: true },
        'remapped-29': { hosts: 1, reach: 'unix', remapsUsers: true, engine: '29' },
      },
    });
    const health = { path: '/healthz', timeout: '10s' };
    const after = ['dev'];
    await project.configure({
      pipeline: ['dev', ...['mixed', 'newer', 'remapped', 'remapped-29'].map((name) => ({ name, after }))],
      roles: { web: { port: 8080, publish: 8000, health, stop: '2s', secrets: ['TOKEN'] } },
      secrets: { TOKEN: { env: 'TOKEN' } },
    });
    project.env['TOKEN'] = 'a token that nobody sees';
    const both: LabHost[] = [project.lab.host('mixed-1'), project.lab.host('newer-1')];
    await project.configureOn('mixed', both, {});
    await project.publish(storyReleases);
    for (const version of Object.keys(storyReleases)) await project.succeed('promote', version, '--to', 'dev');
  }, setupTime);

  afterAll(async () => project?.remove(), timeout);

  test('the hosts are as they are meant to be', async () => {
    const facts = async (name: string) => {
      const { ServerVersion, SecurityOptions } = await project.engine(name).info();
      return [String(ServerVersion).split('.')[0], String(SecurityOptions).includes('name=userns')];
    };
    expect(await Promise.all(['mixed-1', 'newer-1', 'remapped-1', 'remapped-29-1'].map(facts))).toEqual([
      ['20', false],
      ['29', false],
      ['20', true],
      ['29', true],
    ]);
  });

  describe.each([
    ['on hosts with engines of both kinds', 'mixed'],
    ['where users of containers are others on the host', 'remapped'],
    ['where they are, on Docker Engine 29', 'remapped-29'],
  ])('%s', (_case, environment) => {
    let before: Snapshot;

    beforeAll(async () => {
      before = await project.snapshot(environment);
    });

    const stage = { project: () => project, environment, timeout };
    promisesHold(stage);
    nothingIsLeft(stage, () => before);
  });
});
