import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('a host that died', () => {
  let project: TestProject;
  let load: Load;

  beforeAll(async () => {
    project = await TestProject.open({ app: 'small-app', environments: { prod: { hosts: 3, reach: 'unix' } } });
    await project.publish({ '1.0.0': {}, '1.1.0': {}, '1.2.0': { unhealthy: true } });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
    await project.lab.host('prod-1').stopDocker();
    load = await startLoad({ urls: project.urls('prod').slice(1), rate: 50, connections: 'both' });
  }, setupTime);

  afterAll(async () => {
    await load?.stop();
    await project?.remove();
  });

  const answers = (from = 1) => project.versions('prod', project.urls('prod').slice(from));

  test('keeps promotions out until it is cordoned', async () => {
    const refused = await project.promote('1.1.0', 'prod');
    expect(refused.code).toBe(2);
    expect(refused.json.error.details.join()).toMatch(/^prod-1: /);
  });

  test('is cordoned without being asked, though it is the first host', async () => {
    const { outcome, remaining } = (
      await project.succeed('host', 'cordon', 'prod-1', '--env', 'prod', '--reason', 'its disk broke')
    ).json;
    expect([outcome, remaining]).toEqual(['cordoned', ['prod-2', 'prod-3']]);
    const status = (await project.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ version: '1.0.0', problems: [], hosts: { ready: 2, total: 3 } });
    expect(status.cordons).toMatchObject([{ host: 'prod-1', actor: 'tester', reason: 'its disk broke' }]);
  });

  test('does not get a promotion, which is recorded as partial', async () => {
    const promoted = await project.promote('1.1.0', 'prod');
    expect([promoted.code, promoted.json.revision.without], promoted.stderr).toEqual([5, ['prod-1']]);
    expect(await answers()).toEqual(['1.1.0', '1.1.0']);
    expect((await project.promote('1.1.0', 'prod')).json.outcome).toBe('unchanged');
  });

  test('leaves the other hosts all or nothing', async () => {
    expect((await project.promote('1.2.0', 'prod')).code).toBe(3);
    expect(await answers()).toEqual(['1.1.0', '1.1.0']);
  });

  test('does not keep the others from going back', async () => {
    const back = await project.rollback('prod');
    expect([back.code, back.json.revision.without, back.json.revision.restores], back.stderr).toEqual([
      0,
      ['prod-1'],
      1,
    ]);
    expect(await answers()).toEqual(['1.0.0', '1.0.0']);
    await project.succeed('resume', 'prod');
    expect((await project.promote('1.1.0', 'prod')).code).toBe(5);
  });

  test('is refused as long as it does not answer, and stays cordoned', async () => {
    const refused = await project.run('host', 'uncordon', 'prod-1', '--env', 'prod', '--yes', '--json');
    expect(refused.code).toBe(2);
    expect((await project.succeed('status', '--env', 'prod')).json.cordons).toHaveLength(1);
  });

  test('gets what the others run when it is back, and nothing is left of what it ran', async () => {
    await project.lab.host('prod-1').startDocker();
    const back = await project.run('host', 'uncordon', 'prod-1', '--env', 'prod', '--yes', '--json');
    expect([back.code, back.json?.outcome], back.stderr).toEqual([0, 'in service']);
    expect(await answers(0)).toEqual(['1.1.0', '1.1.0', '1.1.0']);
    const status = (await project.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ version: '1.1.0', problems: [], cordons: [], hosts: { ready: 3, total: 3 } });
    expect((await project.rollback('prod')).json.revision.release.version).toBe('1.0.0');
    expect(await answers(0)).toEqual(['1.0.0', '1.0.0', '1.0.0']);
  });

  test('is not noticed by anybody who uses the others', async () => {
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
  });

  test('can be forgotten when it is gone for good, but not while it serves', async () => {
    await project.succeed('resume', 'prod');
    const remove = ['host', 'rm', 'prod-3', '--env', 'prod', '--gone', '--yes', '--json'];
    expect((await project.run(...remove)).json.error.message).toMatch(/^prod-3 is in service/);
    await project.lab.host('prod-3').stopDocker();
    await project.succeed('host', 'cordon', 'prod-3', '--env', 'prod');
    const removed = await project.run(...remove);
    expect(removed.code, removed.stderr).toBe(0);
    const promoted = await project.promote('1.1.0', 'prod');
    expect([promoted.code, promoted.json?.revision.without], promoted.stderr).toEqual([0, undefined]);
    expect(await project.versions('prod', project.urls('prod').slice(0, 2))).toEqual(['1.1.0', '1.1.0']);
    const status = (await project.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ problems: [], cordons: [], hosts: { ready: 2, total: 2 } });
    expect((await project.rollback('prod')).code).toBe(0);
  });
});
