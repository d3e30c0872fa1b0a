import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLoad, type LoadStats } from '../../scripts/load/load.ts';
import { labsWork, setupTime, TestProject } from '../support/pipeline-fixture.ts';

// Three pairs at 150 a second show every path, also where two cores carry the load, three hosts and the tool.
// LOCKAGE_TEST_PAIRS=20 LOCKAGE_TEST_RATE=500 looks for rare cases on a machine that has nothing else to do.
const pairs = Number(process.env['LOCKAGE_TEST_PAIRS'] ?? 3);
const rate = Number(process.env['LOCKAGE_TEST_RATE'] ?? 150);

describe.runIf(labsWork)('under load', () => {
  let project: TestProject;

  beforeAll(async () => {
    project = await TestProject.open({ environments: { prod: { hosts: 3, reach: 'unix' } } }, { watch: '1s' });
    await project.publish({ '1.0.0': {}, '1.1.0': {} });
    await project.succeed('promote', '1.0.0', '--to', 'prod');
  }, setupTime);

  afterAll(async () => project?.remove());

  test(
    `${pairs} times promote and rollback fail no request of ${rate} a second`,
    async () => {
      const load = await startLoad({
        urls: project.urls('prod'),
        rate,
        connections: 'both',
        // At every moment, so also at every switch, some are in flight on each host.
        slow: { path: '/slow?ms=2000', everyMs: 200 },
      });
      let stats: LoadStats;
      try {
        for (let pair = 1; pair <= pairs; pair += 1) {
          await project.succeed('promote', '1.1.0', '--to', 'prod');
          expect(await project.versions('prod')).toEqual(['1.1.0', '1.1.0', '1.1.0']);
          await project.succeed('rollback', 'prod');
          expect(await project.versions('prod')).toEqual(['1.0.0', '1.0.0', '1.0.0']);
          await project.succeed('resume', 'prod');
        }
      } finally {
        stats = await load.stop();
      }
      expect(stats, JSON.stringify(stats.failures)).toMatchObject({ failed: 0 });
      expect(stats.slow.ok).toBe(stats.slow.sent);
    },
    pairs * 60_000,
  );
});
