import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type LoadStats } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject, type CommandResult } from '../support/pipeline-fixture.ts';

const moments = ['early', 'during', 'late'];
/** A command that waits for a host that is gone ends, also on a busy computer: ms. */
const givenUp = 120_000;

// Each moment has an environment of its own, as most of the time goes by waiting for hosts that are gone.
describe.runIf(labsWork)('a host that is unplugged', () => {
  let project: TestProject;

  beforeAll(async () => {
    const hosts = { hosts: 2, reach: 'ssh' as const };
    const environments = Object.fromEntries(moments.map((name) => [name, hosts]));
    project = await TestProject.open({ app: 'small-app', environments }, { standby: 0 });
    const web = { port: 8080, publish: 8000, health: { path: '/healthz', timeout: '10s' }, stop: '2s' };
    // The second host takes longer to be verified than the first one.
    const roles = { web, worker: { health: { running: '2s' }, stop: '2s' } };
    await project.configure({ pipeline: moments.map((name) => ({ name, after: [] })), roles });
    for (const name of moments) {
      const worker = { hosts: [`${name}-2`] };
      await project.configureEnvironment(name, { roles: { worker }, watch: name === 'late' ? '5s' : '1s' });
    }
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    await Promise.all(moments.map((name) => project.succeed('promote', '1.0.0', '--to', name)));
  }, setupTime);

  afterAll(async () => project?.remove());

  /** Does something while users ask the host that can be reached: none of them is refused. */
  async function unharmed(url: string, work: () => Promise<void>): Promise<LoadStats> {
    const load = await startLoad({ urls: [url], rate: 50, connections: 'both' });
    let stats: LoadStats;
    try {
      await work();
    } finally {
      stats = await load.stop();
    }
    expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
    return stats;
  }

  async function unpluggedWhen(environment: string, host: string, moment: RegExp): Promise<CommandResult> {
    const running = project.start(['promote', '1.1.0', '--to', environment, '--yes', '--json']);
    await running.saw(moment);
    await project.lab.host(host).unplug();
    return running.ended;
  }

  async function expectPromoted(environment: string): Promise<void> {
    const again = await project.promote('1.1.0', environment);
    expect([again.code, again.json?.outcome], again.stderr).toEqual([0, 'promoted']);
    expect(await project.versions(environment)).toEqual(['1.1.0', '1.1.0']);
    const containers = [1, 2, 2].map((number) => `${environment}-${number} 1.1.0 running`);
    expect(await project.releaseContainers(environment)).toEqual(containers);
    const status = (await project.succeed('status', '--env', environment)).json;
    expect(status).toMatchObject({ version: '1.1.0', problems: [], hosts: { ready: 2, total: 2 } });
    expect(status.lock).toBeUndefined();
  }

  test.concurrent('before a promotion has it refused by name, and nothing changes', async () => {
    const [serving = ''] = project.urls('early');
    const before = await project.snapshot('early');
    await project.lab.host('early-2').unplug();
    await unharmed(serving, async () => {
      const refused = await project.promote('1.1.0', 'early');
      const details = [expect.stringMatching(/^early-2: /)];
      expect([refused.code, refused.json?.error.details], refused.stderr).toEqual([2, details]);
      expect(refused.took).toBeLessThan(givenUp);
    });
    expect(await project.snapshot('early')).toEqual(before);
    await project.lab.host('early-2').plug();
  });

  // It is the host that has the lock.
  test.concurrent(
    'between verification and switch leaves the others as they were, and the same command finishes later',
    async () => {
      const [, serving = ''] = project.urls('during');
      const { versionsSeen } = await unharmed(serving, async () => {
        const failed = await unpluggedWhen('during', 'during-1', /during-1 +healthy/);
        expect([failed.code, await project.versions('during', [serving])], failed.stderr).toEqual([5, ['1.0.0']]);
        expect(failed.took).toBeLessThan(givenUp);
      });
      // Not even for a moment: it is asked before any host switches.
      expect(Object.keys(versionsSeen[serving] ?? {})).toEqual(['1.0.0']);
      await unharmed(serving, async () => {
        await project.lab.host('during-1').plug();
        expect(await project.versions('during')).toEqual(['1.0.0', '1.0.0']);
        await expectPromoted('during');
      });
    },
  );

  test.concurrent('during the watch takes all back, itself included', async () => {
    const [serving = ''] = project.urls('late');
    await unharmed(serving, async () => {
      const failed = await unpluggedWhen('late', 'late-2', /late-2 +switch\b/);
      expect([failed.code, await project.versions('late', [serving])], failed.stderr).toEqual([5, ['1.0.0']]);
      expect(failed.took).toBeLessThan(givenUp);
      await project.lab.host('late-2').plug();
      // It went back when its own time was over.
      expect(await project.versions('late')).toEqual(['1.0.0', '1.0.0']);
      await expectPromoted('late');
    });
  });
});
