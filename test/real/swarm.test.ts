import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type Load } from '../../scripts/load.ts';
import { labsWork, setupTime, TrialPipeline } from '../support/pipeline-fixture.ts';

// The tests of this file are one story: each goes on where the one before ended.
describe.runIf(labsWork)('an environment on a swarm', () => {
  let trial: TrialPipeline;
  let load: Load;

  beforeAll(async () => {
    const prod = { hosts: 4, reach: 'unix' as const, managers: 3 };
    trial = await TrialPipeline.open({ environments: { prod } });
    await trial.configureEnvironment('prod', { roles: { web: { count: 4, secrets: ['TOKEN'] } } });
    await trial.configure({ secrets: { TOKEN: { env: 'TOKEN' } } });
    trial.env['TOKEN'] = 'token-one';
    await trial.publish({
      '1.0.0': {},
      '1.1.0': {},
      '1.2.0': { unhealthyOn: 'prod-4' },
      '1.3.0': { crashAfterMs: 1200 },
    });
  }, setupTime);

  afterAll(async () => {
    await load?.stop();
    await trial?.remove();
  });

  test('takes a release in as a service with the recorded digest, reached through every manager', async () => {
    const promoted = await trial.promote('1.0.0', 'prod');
    expect(promoted.code, promoted.stderr).toBe(0);
    expect(await trial.versions('prod')).toEqual(['1.0.0', '1.0.0', '1.0.0']);
  });

  test('changes the release without one failed request', async () => {
    load = await startLoad({ urls: trial.urls('prod'), rate: 100, connections: 'both' });
    trial.env['TOKEN'] = 'token-two';
    const promoted = await trial.promote('1.1.0', 'prod');
    expect(promoted.code, promoted.stderr).toBe(0);
    expect(await trial.versions('prod')).toEqual(['1.1.0', '1.1.0', '1.1.0']);
  });

  test('refuses a release that one node cannot run, with the earlier one serving', async () => {
    const refused = await trial.promote('1.2.0', 'prod');
    expect([refused.code, refused.json?.error.message], refused.stderr).toEqual([
      3,
      expect.stringContaining('web 1.2.0 was not healthy within 4 s'),
    ]);
    expect(await trial.versions('prod')).toEqual(['1.1.0', '1.1.0', '1.1.0']);
  });

  test('goes back by a switch to the services that ran', async () => {
    const back = await trial.rollback('prod');
    expect(back.code, back.stderr).toBe(0);
    expect(back.json.trafficBack).toBeLessThan(5000);
    expect(await trial.versions('prod')).toEqual(['1.0.0', '1.0.0', '1.0.0']);
  });

  test('is seen by status', async () => {
    const status = (await trial.succeed('status', '--env', 'prod')).json;
    expect(status).toMatchObject({ version: '1.0.0', problems: [], hosts: { ready: 3, total: 3 } });
  });

  test('is gone after destroy, down to secrets and networks', async () => {
    const stats = await load.stop();
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
    await trial.succeed('destroy', 'prod');
  });
});
